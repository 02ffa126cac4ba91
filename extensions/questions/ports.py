"""The ledger of ssh ports, and where they are published."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .. import ports, sharing
from ..addresses import is_ip
from ..answers import Answers, Kind, Question, RefusedError
from ..reading import number, parsed, shown, text
from .general import CONTAINERS, KIND
from .people import PEOPLE
from .tensorflow import IMAGES, SHARING, TF_VERSIONS


def _read_port_offset(answer: object) -> int:
    offset = number(answer)
    if offset is None or offset > ports.MAX_OFFSET:
        raise RefusedError(
            f"{shown(answer)} is not an offset; use a number from 0 to {ports.MAX_OFFSET}, "
            "such as 10"
        )
    return offset


PORT_OFFSET = Question("port_offset", CONTAINERS, _read_port_offset, unanswered=0)


def _read_bind_address(answer: object) -> str:
    address = text(answer)
    if not is_ip(address):
        raise RefusedError(
            f"{shown(address)} is not an IP address; use 0.0.0.0 for all, 127.0.0.1 for this "
            "server alone, or one of its own"
        )
    return address


BIND_ADDRESS = Question("bind_address", (Kind.HOST,), _read_bind_address, unanswered="0.0.0.0")  # noqa: S104 (all of the host's, as Docker's own default)


def _map(ledger: Mapping[str, int]) -> str:
    return "{" + ", ".join(f"{version}: {port}" for version, port in ledger.items()) + "}"


def _needed(answers: Answers) -> list[str]:
    """Return the entries that the ledger must have: the oldest release first, then by person."""
    entries = [
        group.entry
        for group in sharing.groups(answers[TF_VERSIONS], answers[SHARING], answers[IMAGES])
    ]
    people = answers[PEOPLE] if answers[KIND] == Kind.HOST else ()
    return entries + [f"{person.name}/{entry}" for person in people for entry in entries]


def allotted(answers: Answers) -> dict[str, int]:
    """Return the ledger of the answers with a port for every container."""
    return ports.allot(_needed(answers), answers[PORTS], answers[PORT_OFFSET])


def _free(version: str, ledger: Mapping[str, int]) -> int:
    """Return a port for a version that no other entry of the ledger has."""
    others = {v: port for v, port in ledger.items() if v != version}
    return ports.allot([version], others)[version]


def _completed(
    recorded: Mapping[str, int], given: Mapping[str, int], wanted: Iterable[str]
) -> dict[str, int]:
    """Return a ledger that would be accepted: of what was given, what is not yet taken."""
    ledger = dict(recorded)
    for version, port in given.items():
        if version not in ledger and port not in ledger.values():
            ledger[version] = port
    return ports.allot([*wanted, *given], ledger)


def _port(answer: object) -> int | None:
    return number(answer) if isinstance(answer, str | int | float) else None


def _read_ports(answer: object) -> Mapping[str, int]:
    ledger = parsed(answer)
    if not isinstance(ledger, Mapping):
        raise RefusedError(
            f"{shown(answer)} is not a map of version to port; write it as "
            "{1.15.5: 11522, 2.17.0: 21722}"
        )
    numbers = {str(name): port for name, given in ledger.items() if (port := _port(given))}
    owners: dict[int, str] = {}
    for name, port in ledger.items():
        version = str(name)
        if not ports.NAME.fullmatch(version):
            raise RefusedError(
                f"{shown(version)} is not a version; write it as in {{2.17.0: 21722}}"
            )
        value = numbers.get(version)
        if value is None or not ports.LOWEST <= value <= ports.HIGHEST:
            raise RefusedError(
                f"{shown(port)} for {version} is not a port from {ports.LOWEST} to "
                f"{ports.HIGHEST}; use one such as {_free(version, numbers)}"
            )
        if value in owners:
            raise RefusedError(
                f"{shown(port)} is given to {owners[value]} and {version}; give each its own"
            )
        owners[value] = version
    return numbers


def _check_ports(given: Mapping[str, int], answers: Answers) -> None:
    """Refuse a ledger that lacks a port, or changes one that was given before."""
    recorded = answers.recorded[PORTS]
    wanted = ports.allot(_needed(answers), recorded, answers[PORT_OFFSET])
    for version, port in recorded.items():
        if given.get(version) != port:
            raise RefusedError(
                f"{shown(_map(given))} changes the port of {version}, which stays {port}; "
                f"keep it, as in {_map(_completed(recorded, given, wanted))}"
            )
    for version in wanted:
        if version not in given:
            whole = _map(_completed(recorded, given, wanted))
            raise RefusedError(
                f"{shown(_map(given))} has no port for {version}; add one, as in {whole}"
            )


PORTS = Question[Mapping[str, int]](
    "ports",
    CONTAINERS,
    _read_ports,
    unanswered={},
    check=_check_ports,
    default=allotted,
    complete=allotted,
)
