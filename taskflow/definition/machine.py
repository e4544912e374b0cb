"""Machine presets: the CPU and memory that a run may use. They decide which workers take it."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from taskflow.errors import DefinitionError
from taskflow.suggestions import did_you_mean


@dataclass(frozen=True, slots=True)
class MachineSpec:
    """A preset: its name, vCPUs and memory in GB (of 1024³ bytes)."""

    name: str
    cpu: float
    memory_gb: float

    @property
    def memory_bytes(self) -> int:
        """The memory in bytes."""
        return int(self.memory_gb * 1024**3)


@dataclass(frozen=True, slots=True)
class Machine:
    """The least that a task needs. It runs on the smallest preset that has both.

    Attributes:
        cpu: vCPUs. 0: no demand.
        memory: GB. 0: no demand.

    Raises:
        DefinitionError: A demand is negative, or both are 0.
    """

    cpu: float = 0.0
    memory: float = 0.0

    def __post_init__(self) -> None:
        _check_demand("cpu", self.cpu)
        _check_demand("memory", self.memory)
        if not self.cpu and not self.memory:
            raise DefinitionError(
                "Machine() asks for nothing", remedy="Write Machine(cpu=2, memory=4) or a preset's name."
            )


def _presets(specs: Iterable[MachineSpec]) -> dict[str, MachineSpec]:
    return {spec.name: spec for spec in specs}


DEFAULT_MACHINE: Final = "small-1x"
PRESETS: Final[MappingProxyType[str, MachineSpec]] = MappingProxyType(
    _presets(
        (
            MachineSpec("micro", 0.25, 0.25),
            MachineSpec("small-1x", 0.5, 0.5),
            MachineSpec("small-2x", 1, 1),
            MachineSpec("medium-1x", 1, 2),
            MachineSpec("medium-2x", 2, 4),
            MachineSpec("large-1x", 4, 8),
            MachineSpec("large-2x", 8, 16),
        )
    )
)
"""Trigger.dev's presets."""


def presets_with(machines: Mapping[str, tuple[float, float]]) -> dict[str, MachineSpec]:
    """Return the presets with a project's own ones, given as name to (vCPU, GB)."""
    return {**PRESETS, **_presets(MachineSpec(name, cpu, memory) for name, (cpu, memory) in machines.items())}


def resolve_machine(value: str | Machine, presets: Mapping[str, MachineSpec] = PRESETS) -> MachineSpec:
    """Return the preset of a name, or the smallest one that fits a ``Machine``.

    Raises:
        DefinitionError: There is no such preset, or none is large enough.
    """
    if isinstance(value, Machine):
        return _smallest(value, presets)
    if value in presets:
        return presets[value]
    remedy = did_you_mean(str(value), presets, "presets") + " A project's own presets are named in TASKFLOW_MACHINES."
    raise DefinitionError("Unknown machine", option="machine", value=value, remedy=remedy)


def declared_machine(value: str | Machine | None) -> MachineSpec:
    """Resolve the machine of a definition at import, by the presets of the environment: no application exists yet.

    Raises:
        DefinitionError: No such preset, or none is large enough.
        SettingsError: ``TASKFLOW_*`` had to be read for it and is wrong.
    """
    value = DEFAULT_MACHINE if value is None else value
    if isinstance(value, str) and value in PRESETS:
        return PRESETS[value]
    from taskflow.settings import Settings  # most definitions name a preset, and never load pydantic-settings

    return resolve_machine(value, presets_with(Settings.read().machines))


def _smallest(wanted: Machine, presets: Mapping[str, MachineSpec]) -> MachineSpec:
    by_size = sorted(presets.values(), key=lambda spec: (spec.cpu, spec.memory_gb))
    for spec in by_size:
        if spec.cpu >= wanted.cpu and spec.memory_gb >= wanted.memory:
            return spec
    largest = by_size[-1]
    remedy = f"The largest preset is {largest.name} with {largest.cpu:g} vCPU and {largest.memory_gb:g} GB."
    raise DefinitionError("No machine is that large", option="machine", value=wanted, remedy=remedy)


def _check_demand(option: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not (math.isfinite(value) and value >= 0):
        remedy = "Give a number of vCPUs (cpu) or of GB (memory)."
        raise DefinitionError("That is not a size of a machine", option=option, value=value, remedy=remedy)
