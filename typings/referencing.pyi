from typing import Generic, TypeVar

D = TypeVar("D")

class Registry(Generic[D]):
    def __init__(self) -> None: ...
