"""Claims about recurrent cells, measured."""
