"""What is said of recurrent cells, measured."""
