"""Operations that read what people look at: nodes, tasks and queues, each for a whole page at once."""
