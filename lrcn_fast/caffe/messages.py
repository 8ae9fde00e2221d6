"""Protobuf classes made from the tables of ``schema``; protobuf itself is looked for when used."""

import functools
import re
from types import SimpleNamespace
from typing import Any

from lrcn_fast.caffe.schema import NET, WEIGHTS

__all__ = ["net_messages", "protobuf", "weight_messages"]

FIELD = re.compile(r"(\w+) (\d+) (\w+|\{[^}]*\})([*+]?)(?: = (\S+))?")


@functools.cache
def protobuf() -> SimpleNamespace:
    """The modules of protobuf.

    Raises:
        ImportError: protobuf is not installed.
    """
    try:
        from google.protobuf import (
            descriptor_pb2,
            descriptor_pool,
            message,
            message_factory,
            text_format,
        )
    except ImportError as error:
        raise ImportError(
            'Caffe\'s files need protobuf, which is not installed: pip install "lrcn-fast[caffe]"'
        ) from error
    return SimpleNamespace(
        descriptor=descriptor_pb2,
        pool=descriptor_pool,
        message=message,
        factory=message_factory,
        text=text_format,
    )


@functools.cache
def net_messages() -> dict[str, Any]:
    """The classes of whole nets, by name: for .prototxt files, and weights in text form."""
    return _classes("caffe", NET)


@functools.cache
def weight_messages() -> dict[str, Any]:
    """The classes of names and blobs alone, by name: for binary weights."""
    return _classes("caffe", WEIGHTS)


def _classes(package: str, tables: dict[str, str]) -> dict[str, Any]:
    modules = protobuf()
    file = modules.descriptor.FileDescriptorProto(
        name=f"{package}.proto", package=package, syntax="proto2"
    )
    for name, table in tables.items():
        message = file.message_type.add(name=name)
        for line in filter(None, map(str.strip, table.splitlines())):
            _add_field(message, line, f".{package}", modules.descriptor.FieldDescriptorProto)
    # A pool of its own, so that another package's Caffe messages are no contradiction.
    pool = modules.pool.DescriptorPool()
    pool.Add(file)
    return {
        name: modules.factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}"))
        for name in tables
    }


def _add_field(message: Any, line: str, package: str, kinds: Any) -> None:
    match = FIELD.fullmatch(line)
    assert match is not None, line
    name, number, kind, repeated, default = match.groups()
    field = message.field.add(name=name, number=int(number))
    field.label = kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL
    if kind.startswith("{"):
        words = kind.strip("{}").split()
        enum = message.enum_type.add(name=f"{name}_values")
        for value, value_number in zip(words[::2], words[1::2], strict=True):
            enum.value.add(name=value, number=int(value_number))
        field.type, field.type_name = kinds.TYPE_ENUM, f"{package}.{message.name}.{enum.name}"
    elif kind[0].isupper():
        field.type, field.type_name = kinds.TYPE_MESSAGE, f"{package}.{kind}"
    else:
        field.type = getattr(kinds, f"TYPE_{kind.upper()}")
    if default is not None:
        field.default_value = default
    field.options.packed = repeated == "+"
