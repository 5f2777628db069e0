"""Ctrl-C is Ctrl-C wherever it strikes."""

import pytest
from pydantic import BaseModel, model_serializer
from pydantic_core import PydanticSerializationError

from simulator.cli.interrupt import plain_interrupts


class Struck(BaseModel):
    """Written out by Python code in which a signal arrives, or which is wrong."""

    error: str

    @model_serializer
    def _write(self) -> dict[str, str]:
        if self.error == "interrupt":
            raise KeyboardInterrupt
        raise ValueError(self.error)


def test_an_interrupted_serialiser_is_an_interrupt():
    with pytest.raises(KeyboardInterrupt), plain_interrupts():
        Struck(error="interrupt").model_dump_json()


def test_a_wrong_serialiser_is_not():
    with pytest.raises(PydanticSerializationError, match="wrong"), plain_interrupts():
        Struck(error="wrong").model_dump_json()
