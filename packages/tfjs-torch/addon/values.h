// Conversion between JavaScript values and the arguments and results of ATen's operators.
#pragma once

#include <ATen/core/ivalue.h>
#include <ATen/core/jit_type.h>
#include <node_api.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tensors.h"

/// Throws if a Node-API call failed; the message names what was expected.
inline void check(napi_status status, const char* expected) {
  if (status != napi_ok) throw std::invalid_argument(std::string("expected ") + expected);
}

inline double numberOf(napi_env env, napi_value value) {
  double number = 0;
  check(napi_get_value_double(env, value, &number), "a number");
  return number;
}

/// Whether an int64_t can hold it; casting any other number, including NaN, is undefined behaviour.
inline bool fitsInteger(double number) { return number >= -0x1p63 && number < 0x1p63; }

inline int64_t integerOf(napi_env env, napi_value value) {
  const double number = numberOf(env, value);
  if (!fitsInteger(number) || number != std::trunc(number)) {
    throw std::invalid_argument("expected a 64-bit integer, not " + std::to_string(number));
  }
  return static_cast<int64_t>(number);
}

/// A 32-bit integer: a number of threads, a device.
inline int smallIntegerOf(napi_env env, napi_value value) {
  const int64_t integer = integerOf(env, value);
  if (integer < std::numeric_limits<int>::min() || integer > std::numeric_limits<int>::max()) {
    throw std::invalid_argument("expected a 32-bit integer, not " + std::to_string(integer));
  }
  return static_cast<int>(integer);
}

inline bool booleanOf(napi_env env, napi_value value) {
  bool boolean = false;
  check(napi_get_value_bool(env, value, &boolean), "true or false");
  return boolean;
}

inline std::string stringOf(napi_env env, napi_value value) {
  size_t length = 0;
  check(napi_get_value_string_utf8(env, value, nullptr, 0, &length), "a string");
  std::string text(length, '\0');
  napi_get_value_string_utf8(env, value, text.data(), length + 1, &length);
  return text;
}

inline bool isNothing(napi_env env, napi_value value) {
  napi_valuetype type;
  napi_typeof(env, value, &type);
  return type == napi_undefined || type == napi_null;
}

template <typename Item>
std::vector<Item> listOf(napi_env env, napi_value value, Item (*itemOf)(napi_env, napi_value)) {
  uint32_t length = 0;
  check(napi_get_array_length(env, value, &length), "an array");
  std::vector<Item> items;
  items.reserve(length);
  for (uint32_t i = 0; i < length; i++) {
    napi_value item;
    napi_get_element(env, value, i, &item);
    items.push_back(itemOf(env, item));
  }
  return items;
}

inline napi_value toNumber(napi_env env, double number) {
  napi_value value;
  napi_create_double(env, number, &value);
  return value;
}

inline napi_value toText(napi_env env, const std::string& text) {
  napi_value value;
  napi_create_string_utf8(env, text.data(), text.size(), &value);
  return value;
}

inline napi_value toBoolean(napi_env env, bool boolean) {
  napi_value value;
  napi_get_boolean(env, boolean, &value);
  return value;
}

template <typename Items, typename ToItem>
napi_value toArray(napi_env env, const Items& items, ToItem toItem) {
  napi_value array;
  napi_create_array_with_length(env, items.size(), &array);
  uint32_t i = 0;
  for (const auto& item : items) napi_set_element(env, array, i++, toItem(env, item));
  return array;
}

/// A number as ATen's Scalar: whole numbers become integers, so that an integer tensor stays one.
inline c10::IValue scalarOf(napi_env env, napi_value value) {
  napi_valuetype type;
  napi_typeof(env, value, &type);
  if (type == napi_boolean) return booleanOf(env, value);
  const double number = numberOf(env, value);
  // Not every larger integer is a double.
  const bool whole = std::abs(number) < 9e15 && number == std::trunc(number);
  return whole ? c10::IValue(static_cast<int64_t>(number)) : c10::IValue(number);
}

/// An argument of the type in the operator's schema. Tensors are given by their number.
inline c10::IValue argumentOf(napi_env env, napi_value value, const c10::TypePtr& type, const TensorTable& tensors) {
  switch (type->kind()) {
    case c10::TypeKind::OptionalType: {
      if (isNothing(env, value)) return c10::IValue();
      return argumentOf(env, value, type->castRaw<c10::OptionalType>()->getElementType(), tensors);
    }
    case c10::TypeKind::TensorType: {
      const int64_t handle = integerOf(env, value);
      return tensors.get(handle);
    }
    case c10::TypeKind::NumberType:
      return scalarOf(env, value);
    case c10::TypeKind::FloatType:
      return numberOf(env, value);
    case c10::TypeKind::BoolType:
      return booleanOf(env, value);
    case c10::TypeKind::StringType:
      return stringOf(env, value);
    case c10::TypeKind::DeviceObjType:
      return c10::Device(stringOf(env, value));
    case c10::TypeKind::IntType:
    case c10::TypeKind::SymIntType:
    case c10::TypeKind::ScalarTypeType:
    case c10::TypeKind::LayoutType:
    case c10::TypeKind::MemoryFormatType:
      return integerOf(env, value);
    case c10::TypeKind::ListType: {
      const c10::TypePtr& element = type->castRaw<c10::ListType>()->getElementType();
      switch (element->kind()) {
        case c10::TypeKind::TensorType: {
          c10::List<at::Tensor> list;
          for (const int64_t handle : listOf<int64_t>(env, value, integerOf)) list.push_back(tensors.get(handle));
          return list;
        }
        case c10::TypeKind::OptionalType: {
          const c10::TypePtr& inner = element->castRaw<c10::OptionalType>()->getElementType();
          if (inner->kind() == c10::TypeKind::NumberType) {
            c10::impl::GenericList list(element);
            uint32_t length = 0;
            check(napi_get_array_length(env, value, &length), "an array");
            for (uint32_t i = 0; i < length; i++) {
              napi_value item;
              napi_get_element(env, value, i, &item);
              list.push_back(scalarOf(env, item));
            }
            return list;
          }
          c10::List<std::optional<at::Tensor>> list;
          for (const int64_t handle : listOf<int64_t>(env, value, integerOf)) {
            list.push_back(handle == 0 ? std::nullopt : std::make_optional(tensors.get(handle)));
          }
          return list;
        }
        case c10::TypeKind::FloatType:
          return listOf<double>(env, value, numberOf);
        case c10::TypeKind::BoolType: {
          c10::List<bool> list;
          for (const bool item : listOf<bool>(env, value, booleanOf)) list.push_back(item);
          return list;
        }
        case c10::TypeKind::IntType:
        case c10::TypeKind::SymIntType:
          return listOf<int64_t>(env, value, integerOf);
        default:
          break;
      }
      break;
    }
    default:
      break;
  }
  throw std::invalid_argument("arguments of type " + type->str() + " cannot be passed from JavaScript");
}

/// A result: a tensor's number, a list of them, or a plain value.
inline napi_value resultOf(napi_env env, const c10::IValue& value, TensorTable& tensors) {
  if (value.isTensor()) return toNumber(env, static_cast<double>(tensors.add(value.toTensor())));
  if (value.isTensorList()) {
    return toArray(env, value.toTensorVector(), [&](napi_env, const at::Tensor& tensor) {
      return toNumber(env, static_cast<double>(tensors.add(tensor)));
    });
  }
  if (value.isInt()) return toNumber(env, static_cast<double>(value.toInt()));
  if (value.isDouble()) return toNumber(env, value.toDouble());
  if (value.isBool()) return toBoolean(env, value.toBool());
  if (value.isNone()) return nullptr;
  throw std::invalid_argument("results of type " + value.tagKind() + " cannot be returned to JavaScript");
}
