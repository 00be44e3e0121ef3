"""Operations of the remote loop that work on files, names and connections of the member."""
