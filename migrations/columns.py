"""What the models of all source databases are made of: kinds of columns, and classes whose docstrings are the comments of their tables.

Belongs here: kinds that any database may have. Does not belong here: whether times carry a zone, what a key is, and tables (each system's
`models`).
"""

from typing import Annotated, Any, get_args

from sqlalchemy import BigInteger, String, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

BigInt = Annotated[int, "bigint"]
Str10 = Annotated[str, 10]
Str20 = Annotated[str, 20]
Str36 = Annotated[str, 36]
Str40 = Annotated[str, 40]
Str50 = Annotated[str, 50]
Str63 = Annotated[str, 63]
Str64 = Annotated[str, 64]
Str100 = Annotated[str, 100]
Str200 = Annotated[str, 200]
Str255 = Annotated[str, 255]
Str500 = Annotated[str, 500]
Str1000 = Annotated[str, 1000]
JsonObject = dict[str, Any]
JsonList = list[Any]

_STRINGS = (Str10, Str20, Str36, Str40, Str50, Str63, Str64, Str100, Str200, Str255, Str500, Str1000)

# For `type_annotation_map` of a root class.
KINDS: dict[Any, Any] = {
    BigInt: BigInteger,
    **{kind: String(get_args(kind)[1]) for kind in _STRINGS},
    str: Text,
    JsonObject: JSONB(none_as_null=True),
    JsonList: JSONB(none_as_null=True),
}


class Documented:
    """Beside `DeclarativeBase`, the root of models: the docstring of a class is its table's comment."""

    def __init_subclass__(cls, **kwargs: Any) -> None:  # noqa: ANN401 (passed on as they are)
        super().__init_subclass__(**kwargs)
        table = getattr(cls, "__table__", None)
        if isinstance(table, Table):
            table.comment = cls.__doc__
