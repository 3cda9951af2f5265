"""Calls of C functions by their addresses, and loads from memory, for kernels that make no Python object.

Addresses enter as integer arguments, so that the machine code holds nothing of this process and can be cached on disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

if TYPE_CHECKING:
    from collections.abc import Callable

_Emit: TypeAlias = "Callable[[Any, Any, Any, Any], Any]"


def _emit_call(result: Any) -> _Emit:
    """Return the code generator of a call to the address that is the first argument."""

    def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        word = ir.IntType(64)
        function = ir.FunctionType(result, [word] * (len(arguments) - 1))
        return builder.call(builder.inttoptr(arguments[0], function.as_pointer()), arguments[1:])

    return emit


def _emit_void_call(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    _emit_call(ir.VoidType())(context, builder, signature, arguments)
    return context.get_dummy_value()


def _emit_load(bits: int) -> _Emit:
    def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.load(builder.inttoptr(arguments[0], ir.IntType(bits).as_pointer()))

    return emit


_U64: Any = types.uint64


def _type_view(_typing: Any, _function: Any, _circuit: Any, _index: Any, _out: Any) -> Any:
    return types.void(_U64, _U64, _U64, _U64), _emit_void_call


def _type_byte_of(_typing: Any, _function: Any, _circuit: Any, _index: Any) -> Any:
    return types.uint8(_U64, _U64, _U64), _emit_call(ir.IntType(8))


def _type_byte_of_param(_typing: Any, _function: Any, _param: Any) -> Any:
    return types.uint8(_U64, _U64), _emit_call(ir.IntType(8))


def _type_real_of_param(_typing: Any, _function: Any, _param: Any) -> Any:
    return types.float64(_U64, _U64), _emit_call(ir.DoubleType())


def _type_load_byte(_typing: Any, _address: Any) -> Any:
    return types.uint8(_U64), _emit_load(8)


def _type_load_u32(_typing: Any, _address: Any) -> Any:
    return types.uint32(_U64), _emit_load(32)


view_instruction: Any = intrinsic(_type_view)
"""Fill a view: address of the function, circuit, index, address of the view."""
byte_of: Any = intrinsic(_type_byte_of)
"""Return a byte that belongs to an instruction: address of the function, circuit, index."""
byte_of_param: Any = intrinsic(_type_byte_of_param)
"""Return a byte that belongs to a parameter: address of the function, parameter."""
real_of_param: Any = intrinsic(_type_real_of_param)
"""Return a parameter as a double: address of the function, parameter."""
load_byte: Any = intrinsic(_type_load_byte)
"""Return the byte at an address."""
load_u32: Any = intrinsic(_type_load_u32)
"""Return the 32-bit word at an address."""
