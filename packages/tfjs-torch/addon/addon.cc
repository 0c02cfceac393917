// libtorch for JavaScript: tensors by number, and any operator by its name. Kernels built from the operators are in
// TypeScript.
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/InferenceMode.h>
#include <torch/version.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <cstdlib>

#include "cuda.h"
#include "kept-blocks.h"
#include "values.h"

namespace {

struct Operator {
  c10::OperatorHandle handle;
  std::vector<c10::Argument> arguments;
};

/// The state of one JavaScript thread.
struct State {
  TensorTable tensors;
  std::vector<Operator> operators;
  Cuda cuda;
};

using Arguments = std::vector<napi_value>;
using Function = napi_value (*)(napi_env, State&, const Arguments&);

void throwError(napi_env env, const char* code, const char* message) {
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (!pending) napi_throw_error(env, code, message);
}

/// Runs one function of the addon, without autograd, and turns C++ exceptions into JavaScript's.
template <Function function>
napi_value entry(napi_env env, napi_callback_info info) {
  constexpr size_t most = 32;
  napi_value values[most];
  size_t count = most;
  napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
  State* state = nullptr;
  napi_get_instance_data(env, reinterpret_cast<void**>(&state));
  try {
    const c10::InferenceMode guard;
    const StreamGuard onStream(state->cuda);
    return function(env, *state, Arguments(values, values + std::min(count, most)));
  } catch (const c10::OutOfMemoryError& error) {
    throwError(env, "OUT_OF_MEMORY", error.what_without_backtrace());
  } catch (const c10::Error& error) {
    const std::string message = error.what_without_backtrace();
    // The CPU's allocator has no error type of its own.
    const bool allocator = message.find("DefaultCPUAllocator") != std::string::npos;
    throwError(env, allocator ? "OUT_OF_MEMORY" : "TORCH", message.c_str());
  } catch (const std::bad_alloc& error) {
    throwError(env, "OUT_OF_MEMORY", "the process is out of memory");
  } catch (const std::exception& error) {
    throwError(env, "TORCH", error.what());
  }
  return nullptr;
}

/// find(name, overload): a number for `call`.
napi_value find(napi_env env, State& state, const Arguments& arguments) {
  const c10::OperatorHandle handle = c10::Dispatcher::singleton().findSchemaOrThrow(
      stringOf(env, arguments.at(0)).c_str(), stringOf(env, arguments.at(1)).c_str());
  state.operators.push_back({handle, handle.schema().arguments()});
  return toNumber(env, static_cast<double>(state.operators.size() - 1));
}

/// call(operator, ...arguments): the result, or an array of several. Omitted trailing arguments take their defaults.
napi_value call(napi_env env, State& state, const Arguments& arguments) {
  const Operator& op = state.operators.at(integerOf(env, arguments.at(0)));
  torch::jit::Stack stack;
  stack.reserve(op.arguments.size());
  for (size_t i = 0; i < op.arguments.size(); i++) {
    const c10::Argument& argument = op.arguments[i];
    const bool given = i + 1 < arguments.size() && !isNothing(env, arguments[i + 1]);
    try {
      if (given) stack.push_back(argumentOf(env, arguments[i + 1], argument.type(), state.tensors));
      else if (argument.default_value()) stack.push_back(*argument.default_value());
      else if (argument.type()->kind() == c10::TypeKind::OptionalType) stack.emplace_back();
      else throw std::invalid_argument("it is missing");
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument(c10::toString(op.handle.operator_name()) + ": " + argument.name() + ": " + error.what());
    }
  }
  op.handle.callBoxed(stack);
  if (stack.size() == 1) return resultOf(env, stack[0], state.tensors);
  return toArray(env, stack, [&](napi_env, const c10::IValue& value) { return resultOf(env, value, state.tensors); });
}

napi_value mark(napi_env env, State& state, const Arguments&) {
  return toNumber(env, static_cast<double>(state.tensors.mark()));
}

/// release(mark, [kept, ...])
napi_value release(napi_env env, State& state, const Arguments& arguments) {
  state.tensors.release(integerOf(env, arguments.at(0)), listOf<int64_t>(env, arguments.at(1), integerOf));
  return nullptr;
}

napi_value freeTensor(napi_env env, State& state, const Arguments& arguments) {
  state.tensors.free(integerOf(env, arguments.at(0)));
  return nullptr;
}

at::ScalarType scalarTypeOf(napi_typedarray_type type) {
  switch (type) {
    case napi_float32_array: return at::kFloat;
    case napi_float64_array: return at::kDouble;
    case napi_int32_array: return at::kInt;
    case napi_uint8_array:
    case napi_uint8_clamped_array: return at::kByte;
    default: throw std::invalid_argument("expected a Float32Array, Float64Array, Int32Array or Uint8Array");
  }
}

/// A tensor over an array's memory, a vector or in a shape, valid during this call.
at::Tensor over(napi_env env, napi_value array, std::optional<at::IntArrayRef> given = std::nullopt) {
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  check(napi_get_typedarray_info(env, array, &type, &length, &data, nullptr, nullptr), "a typed array");
  const int64_t vector[] = {static_cast<int64_t>(length)};
  const at::IntArrayRef shape = given.value_or(at::IntArrayRef(vector));
  if (static_cast<int64_t>(length) != c10::multiply_integers(shape)) {
    throw std::invalid_argument("an array of " + std::to_string(length) + " elements does not have the tensor's shape");
  }
  if (length == 0) return at::empty(shape, scalarTypeOf(type));
  return at::from_blob(data, shape, at::TensorOptions().dtype(scalarTypeOf(type)));
}

/// write(array, shape, device): a tensor with a copy of the array's elements.
napi_value write(napi_env env, State& state, const Arguments& arguments) {
  const std::vector<int64_t> shape = listOf<int64_t>(env, arguments.at(1), integerOf);
  const at::Tensor source = over(env, arguments.at(0), shape);
  const c10::Device device(stringOf(env, arguments.at(2)));
  return toNumber(env, static_cast<double>(state.tensors.add(device.is_cpu() ? source.clone() : source.to(device))));
}

/// overwrite(tensor, array): copies the array's elements to the tensor, in the order of its shape.
napi_value overwrite(napi_env env, State& state, const Arguments& arguments) {
  const at::Tensor& tensor = state.tensors.get(integerOf(env, arguments.at(0)));
  tensor.copy_(over(env, arguments.at(1), tensor.sizes()));
  return nullptr;
}

/// read(tensor, array): copies the tensor's elements, in the order of its shape, to the array, converted to its type.
napi_value read(napi_env env, State& state, const Arguments& arguments) {
  const at::Tensor& tensor = state.tensors.get(integerOf(env, arguments.at(0)));
  over(env, arguments.at(1), tensor.sizes()).copy_(tensor);
  return nullptr;
}

napi_value shape(napi_env env, State& state, const Arguments& arguments) {
  const auto number = [](napi_env e, int64_t side) { return toNumber(e, static_cast<double>(side)); };
  return toArray(env, state.tensors.get(integerOf(env, arguments.at(0))).sizes(), number);
}

/// scalarType(tensor): its number in c10::ScalarType.
napi_value scalarType(napi_env env, State& state, const Arguments& arguments) {
  return toNumber(env, static_cast<double>(state.tensors.get(integerOf(env, arguments.at(0))).scalar_type()));
}

napi_value tensorCount(napi_env env, State& state, const Arguments&) {
  return toNumber(env, static_cast<double>(state.tensors.size()));
}

/// setThreads(threads): returns the number now in use. 0 keeps libtorch's choice.
napi_value setThreads(napi_env env, State&, const Arguments& arguments) {
  const int threads = smallIntegerOf(env, arguments.at(0));
  if (threads > 0) at::set_num_threads(threads);
  return toNumber(env, at::get_num_threads());
}

/// setDeterministic(on): whether operators without a deterministic algorithm throw.
napi_value setDeterministic(napi_env env, State&, const Arguments& arguments) {
  const bool on = booleanOf(env, arguments.at(0));
  // cuBLAS needs this to repeat its results. Set here because a Node.js thread may have a copy of the environment, which cuBLAS does not see.
  if (on) setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 0);
  at::globalContext().setDeterministicAlgorithms(on, false);
  at::globalContext().setDeterministicCuDNN(on);
  // No kernel here reads uninitialised memory.
  at::globalContext().setDeterministicFillUninitializedMemory(false);
  return nullptr;
}

/// setTf32(on): whether float32 convolutions and matrix products may round to TF32 on CUDA.
napi_value setTf32(napi_env env, State&, const Arguments& arguments) {
  const bool on = booleanOf(env, arguments.at(0));
  at::globalContext().setAllowTF32CuDNN(on);
  at::globalContext().setFloat32MatmulPrecision(on ? "high" : "highest");
  return nullptr;
}

/// Makes malloc keep freed memory from now on, in the whole process; returns whether it does. Needs glibc.
bool mallocKeeps() {
#ifdef __GLIBC__
  // glibc before 2.35 accepts at most half of a heap. Setting only the others would leave this threshold at its initial 128 KiB.
  if (!mallopt(M_MMAP_THRESHOLD, 1 << 30) && !mallopt(M_MMAP_THRESHOLD, 32 << 20)) return false;
  return mallopt(M_TRIM_THRESHOLD, 2147483647) && mallopt(M_TOP_PAD, 256 << 20);
#else
  return false;
#endif
}

/// keepFreedMemory(): keeps freed memory in the process. Giving it back and faulting it in again costs 1.1x to 1.6x. Returns
/// whether malloc keeps it too; large blocks are kept in any case.
napi_value keepFreedMemory(napi_env env, State&, const Arguments&) {
  const bool kept = mallocKeeps();
  c10::SetCPUAllocator(&KeptBlocks::instance());
  return toBoolean(env, kept);
}

/// cpuCapability(): the instruction set that kernels on the CPU use.
napi_value cpuCapability(napi_env env, State&, const Arguments&) { return toText(env, at::get_cpu_capability()); }

napi_value cudaDevices(napi_env env, State&, const Arguments&) {
  return toArray(env, cudaDeviceNames(), toText);
}

/// whyNoCuda(): empty if a device exists.
napi_value reasonOfNoCuda(napi_env env, State&, const Arguments&) { return toText(env, whyNoCuda()); }

napi_value useDevice(napi_env env, State& state, const Arguments& arguments) {
  state.cuda.use(smallIntegerOf(env, arguments.at(0)));
  return nullptr;
}

napi_value synchronize(napi_env, State& state, const Arguments&) {
  state.cuda.synchronize();
  return nullptr;
}

napi_value deviceMemory(napi_env env, State& state, const Arguments&) {
  return toArray(env, state.cuda.memory(), [](napi_env e, int64_t bytes) { return toNumber(e, static_cast<double>(bytes)); });
}

napi_value beginGraph(napi_env, State& state, const Arguments&) {
  state.cuda.beginGraph();
  return nullptr;
}

napi_value endGraph(napi_env env, State& state, const Arguments&) {
  return toNumber(env, static_cast<double>(state.cuda.endGraph()));
}

napi_value replayGraph(napi_env env, State& state, const Arguments& arguments) {
  state.cuda.replayGraph(integerOf(env, arguments.at(0)));
  return nullptr;
}

napi_value freeGraph(napi_env env, State& state, const Arguments& arguments) {
  state.cuda.freeGraph(integerOf(env, arguments.at(0)));
  return nullptr;
}

napi_value copiesAwaitComputation(napi_env, State& state, const Arguments&) {
  state.cuda.copiesAwaitComputation();
  return nullptr;
}

napi_value onCopyStream(napi_env env, State& state, const Arguments& arguments) {
  state.cuda.onCopyStream(booleanOf(env, arguments.at(0)));
  return nullptr;
}

/// pin(array): returns whether its memory has become pinned. It must live until `unpin`.
napi_value pin(napi_env env, State& state, const Arguments& arguments) {
  const at::Tensor bytes = over(env, arguments.at(0));
  return toBoolean(env, state.cuda.pin(bytes.data_ptr(), bytes.nbytes()));
}

/// unpin(): unpins everything that `pin` has pinned.
napi_value unpin(napi_env, State& state, const Arguments&) {
  state.cuda.unpin();
  return nullptr;
}

template <Function function>
void define(napi_env env, napi_value exports, const char* name) {
  napi_value value;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, entry<function>, nullptr, &value);
  napi_set_named_property(env, exports, name, value);
}

}  // namespace

NAPI_MODULE_INIT() {
  napi_set_instance_data(env, new State(), [](napi_env, void* data, void*) { delete static_cast<State*>(data); }, nullptr);
  define<find>(env, exports, "find");
  define<call>(env, exports, "call");
  define<mark>(env, exports, "mark");
  define<release>(env, exports, "release");
  define<freeTensor>(env, exports, "free");
  define<write>(env, exports, "write");
  define<overwrite>(env, exports, "overwrite");
  define<read>(env, exports, "read");
  define<shape>(env, exports, "shape");
  define<scalarType>(env, exports, "scalarType");
  define<tensorCount>(env, exports, "tensorCount");
  define<setThreads>(env, exports, "setThreads");
  define<setDeterministic>(env, exports, "setDeterministic");
  define<setTf32>(env, exports, "setTf32");
  define<keepFreedMemory>(env, exports, "keepFreedMemory");
  define<cpuCapability>(env, exports, "cpuCapability");
  define<cudaDevices>(env, exports, "cudaDevices");
  define<reasonOfNoCuda>(env, exports, "whyNoCuda");
  define<useDevice>(env, exports, "useDevice");
  define<synchronize>(env, exports, "synchronize");
  define<deviceMemory>(env, exports, "deviceMemory");
  define<beginGraph>(env, exports, "beginGraph");
  define<endGraph>(env, exports, "endGraph");
  define<replayGraph>(env, exports, "replayGraph");
  define<freeGraph>(env, exports, "freeGraph");
  define<onCopyStream>(env, exports, "onCopyStream");
  define<copiesAwaitComputation>(env, exports, "copiesAwaitComputation");
  define<pin>(env, exports, "pin");
  define<unpin>(env, exports, "unpin");
  napi_set_named_property(env, exports, "version", toText(env, TORCH_VERSION));
  return exports;
}
