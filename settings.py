"""Every setting of the service: its name, type, default, unit and meaning.

One table, read from the environment (`SHIWU_PORT=8080`) or from the command line of
`python app.py` (`--port 8080`), which wins; our settings are read nowhere else.
All problems are reported at once, each by name, with what is allowed: a service that starts
with a setting it ignored is worse than one that does not start.
"""

import argparse
import difflib
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from errors import SettingsError

PREFIX = "SHIWU_"


class BadSettings(SettingsError):
    """One or more settings are unknown or hold a value that is not allowed."""


def _setting(default: Any, meaning: str, allowed: str, **bounds: Any) -> Any:
    """A row of the table; `allowed` ends the sentence "SHIWU_X=… is not …"."""
    return Field(default, description=meaning, json_schema_extra={"allowed": allowed}, **bounds)


def _names(value: object) -> object:
    """Split "MobileNetV2, ResNet50" at its commas; anything else is left to the type."""
    if not isinstance(value, str):
        return value
    return tuple(name.strip() for name in value.split(","))


def _not_the_default_port(origin: str) -> str:
    if origin.endswith({"https": ":443", "http:": ":80"}[origin[:5]]):
        raise ValueError("browsers leave this port out")
    return origin


def _cache_home() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _in_cache_home(name: str) -> Path:
    try:
        return _cache_home() / "shiwu" / name
    except RuntimeError:  # a container's numbered user has no home
        return Path(tempfile.gettempdir()) / "shiwu" / name


# Relative to the folder of the start, which is not where everything runs later.
Folder = Annotated[Path, AfterValidator(lambda path: path.expanduser().absolute())]
Names = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_names)]
# What browsers send is compared as it is: no path, no capital letter, no port that goes without
# saying, no `*`.
Origin = Annotated[
    str,
    Field(pattern=r"^https?://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?$"),
    AfterValidator(_not_the_default_port),
]


class Settings(BaseModel):
    """The settings of one service, checked; unknown names are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=False)

    model: Names = _setting(
        ("ShiwuNet",),
        "networks to serve: names, network folders or .keras files, divided by commas; "
        "the first is the default",
        "one or more network names, folders or .keras files, divided by commas",
        min_length=1,
    )
    on_request: Names = _setting(
        (),
        "networks that are loaded when a request first asks for them (`model=…`), given as "
        "SHIWU_MODEL is, or `all` published ones; goes with SHIWU_MEMORY",
        "all, or one or more network names, folders or .keras files, divided by commas",
    )
    memory: int | None = _setting(
        None,
        "bytes that the networks of one process may take together, about; of those on request the "
        "one not asked for longest goes first",
        "a whole number of bytes from 67108864 to 1099511627776",
        ge=2**26,
        le=2**40,
    )
    weights: Folder | None = _setting(
        None,
        "weights of the network: a file, or a folder of files by Keras' names",
        "a path",
    )
    mirror: str | None = _setting(
        None,
        "address of a folder to fetch weights from, before the published address",
        "an address that begins with https:// or http://",
        pattern="^https?://",
    )
    offline: bool = _setting(False, "never fetch weights from the network", "true or false")
    input_size: int | None = _setting(
        None,
        "side of the square that the networks see, where they can be built for it; "
        "each network's own, if not given",
        "a whole number of pixels from 32 to 1024",
        ge=32,
        le=1024,
    )
    engine: Literal["openvino", "keras"] = _setting(
        "openvino", "what runs the network", "openvino or keras"
    )
    precision: Literal["f32", "bf16", "int8", "auto"] = _setting(
        "f32",
        "arithmetic of the openvino engine; int8 is made, and what `auto` may take found, by "
        "`python -m training.quantise`",
        "f32, bf16, int8 or auto",
    )
    fit: Literal["crop", "stretch"] | None = _setting(
        None,
        "how a photo becomes a square, unless a request says otherwise; "
        "as the network's card says (crop, mostly), if not given",
        "crop or stretch",
    )
    certain_at: float = _setting(
        0.9,
        "probability from which an answer is certain: the most specific class, or group of "
        "classes, that reaches it is said",
        "a probability from 0.5 to 1",
        ge=0.5,
        le=1,
        allow_inf_nan=False,
    )
    cache: Folder = Field(
        default_factory=lambda: _in_cache_home("compiled"),
        description="folder of compiled networks",
        json_schema_extra={"allowed": "a path", "shown_default": "~/.cache/shiwu/compiled"},
    )
    host: str = _setting("127.0.0.1", "address to listen on", "a host name or address")
    port: int = _setting(
        5000, "port to listen on", "a whole number from 1 to 65535", ge=1, le=65535
    )
    workers: int = _setting(
        1,
        "server processes; each holds its own networks, and one uses all cores",
        "a whole number from 1 to 64",
        ge=1,
        le=64,
    )
    cores: int | None = _setting(
        None,
        "cores to use in each process; all that the process may use, if not given",
        "a whole number from 1 to 1024",
        ge=1,
        le=1024,
    )
    queue: int = _setting(
        32,
        "photos that may wait; when more come, the answer is 503 busy, at once",
        "a whole number from 1 to 1024",
        ge=1,
        le=1024,
    )
    deadline_s: float = _setting(
        10.0,
        "seconds after which a waiting request is given up with 504 too_late",
        "a number of seconds from 0.1 to 300",
        ge=0.1,
        le=300,
        allow_inf_nan=False,
    )
    drain_s: float = _setting(
        2.0,
        "seconds between saying 'not ready' and closing the door, after SIGTERM",
        "a number of seconds from 0 to 300",
        ge=0,
        le=300,
        allow_inf_nan=False,
    )
    max_bytes: int = _setting(
        16 * 2**20,
        "bytes of photos in one request",
        "a whole number of bytes from 1024 to 1073741824",
        ge=1024,
        le=2**30,
    )
    max_pixels: int = _setting(
        50_000_000,
        "pixels of one photo, before decoding",
        "a whole number of pixels from 1024 to 89000000",
        ge=1024,
        le=89_000_000,  # above it Pillow's own checks, and their words, would come first
    )
    apart: Literal["none", "rare", "all"] = _setting(
        "rare",
        "formats that are decoded in processes of their own, which may crash: GIF, BMP, TIFF, "
        "HEIC and AVIF (rare), all, or none",
        "none, rare or all",
    )
    images: str = _setting(
        "",
        "where /image keeps its pictures for all workers: a folder, or redis://…; "
        "a private folder, if not given",
        "a path or a redis:// address",
    )
    images_ttl_s: float = _setting(
        600.0,
        "seconds that a picture of /image can be fetched",
        "a number of seconds from 1 to 86400",
        ge=1,
        le=86400,
        allow_inf_nan=False,
    )
    images_bytes: int = _setting(
        256 * 2**20,
        "bytes that all pictures of /image may take together; the oldest go first",
        "a whole number of bytes from 1048576 to 1099511627776",
        ge=2**20,
        le=2**40,
    )
    keys: Folder | None = _setting(
        None,
        "file of the keys that clients must ask with (`python -m api.keys add NAME --file …` makes "
        "one); none are asked for, if not given",
        "a path",
    )
    rate: str = _setting(
        "",
        "how often one key, or else one address, may ask: 60/minute is sixty photos, or requests "
        "without one; each worker counts for itself, without SHIWU_RATE_REDIS",
        "a number and a time, like 60/minute (second, minute, hour or day)",
        pattern="^([1-9][0-9]{0,8}/(second|minute|hour|day))?$",
    )
    rate_redis: str = _setting(
        "",
        "where all workers and machines count together",
        "a redis://, rediss:// or unix:// address",
        pattern="^((rediss?|unix)://.+)?$",
    )
    proxies: int = _setting(
        0,
        "how many proxies stand in front, one behind the other; so many of the addresses in "
        "X-Forwarded-For are believed, and none with 0",
        "a whole number from 0 to 9",
        ge=0,
        le=9,
    )
    origins: Annotated[tuple[Origin, ...], BeforeValidator(_names)] = _setting(
        (),
        "origins whose pages may ask from a browser, divided by commas, as in https://example.com",
        "one or more origins as browsers write them (https://example.com), divided by commas",
    )
    closed: Annotated[tuple[Literal["docs", "metrics"], ...], BeforeValidator(_names)] = _setting(
        (),
        "addresses that are not there: docs (/docs and /openapi.json), metrics, divided by commas",
        "docs, metrics or both, divided by commas",
    )
    log_level: Literal["debug", "info", "warning", "error"] = _setting(
        "info", "the least that is logged", "debug, info, warning or error"
    )

    traces: bool = _setting(
        False,
        "send traces, to where OpenTelemetry's own variables say (OTEL_EXPORTER_OTLP_ENDPOINT, …); "
        "needs requirements-traces.txt",
        "true or false",
    )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """The settings that `SHIWU_…` variables give.

        Raises:
            BadSettings: every unknown variable and every bad value, a line each.
        """
        return cls._checked(_given(environment), _variable)

    @classmethod
    def from_command_line(
        cls, arguments: Sequence[str], environment: Mapping[str, str] = os.environ
    ) -> Self:
        """The settings of `python app.py`: options first, then the environment.

        Raises:
            BadSettings: as `from_environment`, and for options that don't exist.
            SystemExit: after `--help`.
        """
        options, unknown = _parser().parse_known_args(arguments)
        given = vars(options)
        problems = [
            _unknown(word, _options()) if word.startswith("-") else _stray(word)
            for before, word in zip(["", *unknown], unknown, strict=False)
            if word.startswith("-") or not before.startswith("-")
        ]

        def named(name: str) -> str:
            return _option(name) if name in given else _variable(name)

        return cls._checked(_given(environment) | given, named, problems)

    @classmethod
    def _checked(
        cls,
        given: Mapping[str, object],
        named: Any,
        problems: Sequence[str] = (),
    ) -> Self:
        found = list(problems)
        settings = None
        try:
            settings = cls.model_validate(given)
        except ValidationError as error:
            found += _sentences(error, given, named)
        if settings is not None:
            found += settings._at_odds(named)
        if found or settings is None:
            raise BadSettings("\n".join(found))
        return settings

    def _at_odds(self, named: Any) -> list[str]:
        """What settings, each right alone, have against one another."""
        on_request = named("on_request")
        problems = []
        if self.on_request and self.memory is None:
            problems.append(
                f"{on_request} needs {named('memory')}: the bytes that networks may take together"
            )
        if "all" in self.on_request and len(self.on_request) > 1:
            problems.append(f"{on_request}: `all` stands alone; leave out the other names")
        if self.rate_redis and not (self.rate or self.keys):
            problems.append(
                f"{named('rate_redis')} counts nothing without {named('rate')} or {named('keys')}"
            )
        return problems

    def as_environment(self) -> dict[str, str]:
        """The same settings as variables, for the server that `python app.py` starts."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {_variable(name): _text(v) for name, v in values.items() if v is not None}


def table() -> list[tuple[str, str, str, str]]:
    """A row a setting: variable, default, what is allowed, meaning."""
    return [
        (_variable(name), shown_default(name), _allowed(name), field.description or "")
        for name, field in Settings.model_fields.items()
    ]


def page() -> str:
    """The table as Markdown: what `python settings.py > docs/settings.md` writes."""
    lines = [
        "# Settings",
        "",
        "Every setting is an environment variable and an option of `python app.py`: `SHIWU_PORT`",
        "is `--port`. An unknown name or a bad value stops the start and is named.",
        "",
        "| variable | default | allowed | meaning |",
        "|---|---|---|---|",
    ]
    for variable, default, allowed, meaning in table():
        shown = f"`{default}`" if default else ""
        lines.append(f"| `{variable}` | {shown} | {allowed} | {meaning} |")
    return "\n".join(lines) + "\n"


def shown_default(name: str) -> str:
    """The default as people write it; empty when there is none."""
    field = Settings.model_fields[name]
    shown = _extra(name).get("shown_default", field.default)
    return "" if shown is None else _text(shown)


def _given(environment: Mapping[str, str]) -> dict[str, object]:
    """The variables with our prefix, by setting name; an empty one counts as not given."""
    return {
        _name(variable): value
        for variable, value in environment.items()
        if variable.upper().startswith(PREFIX) and value != ""
    }


def _name(variable: str) -> str:
    """The setting's name; a variable in mixed case is none of ours, and is refused as unknown."""
    return variable[len(PREFIX) :].lower() if variable.isupper() else variable


def _sentences(error: ValidationError, given: Mapping[str, object], named: Any) -> list[str]:
    names = dict.fromkeys(str(problem["loc"][0]) for problem in error.errors())
    return [
        f"{named(name)}={_text(given[name])!r} is not {_allowed(name)}{_hint(given[name])}"
        if name in Settings.model_fields
        else _unknown(
            _variable(name) if name.islower() else name,
            [_variable(known) for known in Settings.model_fields],
        )
        for name in names
    ]


def _hint(value: object) -> str:
    """Kubernetes' variables for a Service called "shiwu" look like settings of ours."""
    set_by_kubernetes = str(value).startswith("tcp://")
    return "; Kubernetes sets it: enableServiceLinks: false" if set_by_kubernetes else ""


def _unknown(word: str, known: Sequence[str]) -> str:
    word = word.split("=")[0]
    nearest = difflib.get_close_matches(word, known, n=1, cutoff=0.0)[0]
    return f"{word} is no setting of Shiwu; the nearest is {nearest}"


def _stray(word: str) -> str:
    return f"{word!r} is no option; to choose a network: --model {word}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python app.py",
        description="Serve a network: photo in, names out.",
        epilog="Every option is also an environment variable: --port is SHIWU_PORT.",
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    for name, field in Settings.model_fields.items():
        default = shown_default(name)
        meaning = f"{field.description} ({f'default: {default}; ' if default else ''}"
        text = (meaning + f"{_allowed(name)})").replace("%", "%%")
        flag = {"nargs": "?", "const": "true"} if field.annotation is bool else {}
        parser.add_argument(_option(name), help=text, metavar=name.upper(), **flag)  # type: ignore[arg-type]
    return parser


def _options() -> list[str]:
    return [_option(name) for name in Settings.model_fields]


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _variable(name: str) -> str:
    return PREFIX + name.upper()


def _extra(name: str) -> dict[str, Any]:
    extra = Settings.model_fields[name].json_schema_extra
    return extra if isinstance(extra, dict) else {}


def _allowed(name: str) -> str:
    return str(_extra(name)["allowed"])


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


if __name__ == "__main__":
    sys.stdout.write(page())
