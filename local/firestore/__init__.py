"""The part of Firestore that Headrace uses, on one machine: the real gRPC protocol over one SQLite file."""
