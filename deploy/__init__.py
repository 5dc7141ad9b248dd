"""Take the repository to running functions: stage, deploy, try, move traffic."""
