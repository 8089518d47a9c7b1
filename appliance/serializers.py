"""How results become bytes. To import from, as in `from appliance.serializers import ...`."""

from appliance.core.result_serializers import (
    CompressedSerializer,
    JSONSerializer,
    PandasSerializer,
    PickleSerializer,
    Serializer,
)

__all__ = ["CompressedSerializer", "JSONSerializer", "PandasSerializer", "PickleSerializer", "Serializer"]
