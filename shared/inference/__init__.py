"""The model at run time. Importing a module of this package loads no numerical library before it is used."""
