import tf = require('@tensorflow/tfjs-core');
import type { BackendValues, DataType, TensorInfo } from '@tensorflow/tfjs-core';
import { aten, scalarType, scalarTypeOf } from './aten.js';
import { beside, createStaging, freeStaging, overwriteBeside, type Staging } from './beside.js';
import { loadNative, type Handle, type NumericArray } from './native.js';
import { keep, scope } from './temporaries.js';
import { arrayFor, dtypes, narrowed, toFloat32, toInt32, toUint8 } from './values.js';

const { DataStorage, engine, KernelBackend, util } = tf;

type DataId = TensorInfo['dataId'];

/** float32, or convolutions and matrix products in bfloat16 with activations kept as bfloat16. */
export type Precision = 'f32' | 'bf16';

/** The handle that refers to no tensor. */
const none: Handle = 0;

/** The backend's data for one dataId. */
interface Entry {
  handle: Handle;
  /** Shape of the handle's tensor; TensorFlow.js may view the same data in other shapes. */
  shape: number[];
  dtype: DataType;
  refCount: number;
  /** Strings never go to libtorch. */
  strings?: Uint8Array[];
  /** A bfloat16 copy for convolutions and matrix products. */
  low?: Handle;
  /** Whether the data have a convolution filter's layout: physically output, height, width, input. */
  isFilter?: boolean;
  /** Receives the new values of tensors that are overwritten together; held by the first of them. */
  staging?: Staging;
}

/** TensorFlow.js's storage on libtorch. Every dataId is one tensor of the addon. */
export class TorchBackend extends KernelBackend {
  private readonly native = loadNative();
  private readonly entries = new DataStorage<Entry>(this, engine());
  private readonly constants = new Map<string, Handle>();
  /** Pinned memory, kept alive so that its addresses are not reused. */
  private readonly pinned: ArrayBufferLike[] = [];

  /** `device` is cpu or cuda:N. */
  constructor(
    readonly device: string,
    readonly precision: Precision,
  ) {
    super();
  }

  /** A kernel's result: takes ownership of the handle. */
  output(handle: Handle): TensorInfo {
    const type = this.native.scalarType(handle);
    const kept = type in narrowed ? aten['to.dtype'](handle, narrowed[type]) : handle;
    const shape = this.native.shape(kept);
    const dataId = {};
    const dtype = dtypes[narrowed[type] ?? type];
    this.entries.set(dataId, { handle: kept, shape, dtype, refCount: 1 });
    return { dataId, shape, dtype };
  }

  /** The result of `make`, whose temporaries are freed. */
  outputOf(make: () => Handle): TensorInfo {
    return this.output(keep(make));
  }

  /** A float tensor of 8-bit levels: level * scale + shift. */
  fromLevels(levels: Uint8Array, shape: number[], scale: number, shift: number): TensorInfo {
    return this.outputOf(() => this.uploadLevels(levels, shape, scale, shift));
  }

  /** Overwrite a tensor that `fromLevels` made with new 8-bit levels. */
  overwriteLevels({ dataId, shape }: TensorInfo, levels: Uint8Array, scale: number, shift: number): void {
    const { handle } = this.entries.get(dataId);
    scope(() => aten.copy_(handle, this.uploadLevels(levels, shape, scale, shift)));
  }

  private uploadLevels(levels: Uint8Array, shape: number[], scale: number, shift: number): Handle {
    const floats = aten['to.dtype'](this.native.write(levels, shape, this.device), scalarType.float32);
    return aten['add_.Scalar'](aten['mul_.Scalar'](floats, scale), shift);
  }

  /** The handle that the backend keeps for a result. */
  ownedHandleOf({ dataId }: TensorInfo): Handle {
    return this.entries.get(dataId).handle;
  }

  /** A view of a tensor's data, in another shape of the same size. */
  view({ dataId, dtype }: TensorInfo, shape: number[]): TensorInfo {
    this.incRef(dataId);
    return { dataId, shape, dtype };
  }

  /** A tensor's handle, in its shape, as stored: float32 may be bfloat16. It stays the backend's. */
  handleOf({ dataId, shape }: TensorInfo): Handle {
    const entry = this.entries.get(dataId);
    if (entry.strings) throw new Error('this kernel does not take tensors of strings');
    return util.arraysEqual(entry.shape, shape) ? entry.handle : aten.reshape(entry.handle, shape);
  }

  /** A tensor's handle, in its shape and of its dtype: bfloat16 becomes float32, indices become int32. */
  fullHandleOf(info: TensorInfo): Handle {
    const handle = this.handleOf(info);
    if (info.dtype === 'complex64' || (this.precision === 'f32' && info.dtype === 'float32')) return handle;
    return aten['to.dtype'](handle, scalarTypeOf[info.dtype]);
  }

  /** A tensor's handle, in its shape, in the precision of convolutions and matrix products. */
  computeHandleOf(info: TensorInfo): Handle {
    const handle = this.handleOf(info);
    if (this.precision === 'f32' || info.dtype !== 'float32') return handle;
    const entry = this.entries.get(info.dataId);
    if (this.native.scalarType(entry.handle) === scalarType.bfloat16) return handle;
    entry.low ??= keep(() => aten['to.dtype'](entry.handle, scalarType.bfloat16));
    return util.arraysEqual(entry.shape, info.shape) ? entry.low : aten.reshape(entry.low, info.shape);
  }

  /**
   * A filter [height, width, input, output] as convolutions take it: logically [output, input, height, width], physically
   * channels last. The first use as a filter rearranges its data; other kernels see no change.
   */
  filterHandleOf(info: TensorInfo): Handle {
    const entry = this.entries.get(info.dataId);
    if (!entry.isFilter && util.arraysEqual(entry.shape, info.shape)) {
      entry.isFilter = true;
      const before = entry.handle;
      entry.handle = keep(() => aten.permute(aten.contiguous(aten.permute(before, [3, 0, 1, 2])), [1, 2, 3, 0]));
      this.native.free(before);
      // It has the old layout: oneDNN would reorder it at every use, two to three times slower.
      if (entry.low) this.native.free(entry.low);
      entry.low = undefined;
    }
    return aten.permute(this.computeHandleOf(info), [3, 2, 0, 1]);
  }

  override write(values: BackendValues, shape: number[], dtype: DataType): DataId {
    const dataId = {};
    this.move(dataId, values, shape, dtype, 1);
    return dataId;
  }

  override move(dataId: DataId, values: BackendValues, shape: number[], dtype: DataType, refCount: number): void {
    if (dtype === 'string') {
      this.entries.set(dataId, { handle: none, shape, dtype, refCount, strings: values as Uint8Array[] });
      return;
    }
    const handle = keep(() => this.upload(values, shape, dtype));
    this.entries.set(dataId, { handle, shape, dtype, refCount });
  }

  private upload(values: BackendValues, shape: number[], dtype: DataType): Handle {
    if (values.length === 1 && dtype !== 'complex64') {
      // A kernel's argument instead of a copy from the host, which a graph cannot hold.
      return aten.full(shape, Number(values[0]), scalarTypeOf[dtype], undefined, this.device);
    }
    if (dtype === 'complex64') {
      return aten.view_as_complex(this.native.write(toFloat32(values), [...shape, 2], this.device));
    }
    if (dtype === 'int32') return this.native.write(toInt32(values), shape, this.device);
    if (dtype === 'bool') {
      return aten['to.dtype'](this.native.write(toUint8(values), shape, this.device), scalarType.bool);
    }
    return this.native.write(toFloat32(values), shape, this.device);
  }

  override readSync(dataId: DataId): BackendValues {
    const { handle, shape, dtype, strings } = this.entries.get(dataId);
    if (strings) return strings;
    const values = arrayFor(dtype, util.sizeFromShape(shape));
    scope(() => this.native.read(dtype === 'complex64' ? aten.view_as_real(handle) : handle, values));
    return values;
  }

  override async read(dataId: DataId): Promise<BackendValues> {
    return this.readSync(dataId);
  }

  /** Copy a tensor's elements to `target`, which may be in shared memory. */
  readInto({ dataId, shape }: TensorInfo, target: NumericArray): void {
    scope(() => this.native.read(this.handleOf({ dataId, shape, dtype: 'float32' }), target));
  }

  /**
   * Overwrite tensors with a vector's elements, one tensor after the other; on CUDA in parallel with the computation. Results
   * already computed from the tensors do not change.
   */
  overwrite(tensors: TensorInfo[], vector: NumericArray): void {
    const entries = tensors.map(({ dataId }) => this.entries.get(dataId));
    if (this.device === 'cpu') {
      let offset = 0;
      for (const { handle, shape } of entries) {
        this.native.overwrite(handle, vector.subarray(offset, (offset += util.sizeFromShape(shape))));
      }
    } else {
      const shapes = entries.map(({ shape }) => shape);
      entries[0].staging ??= createStaging(shapes, this.device);
      const handles = entries.map(({ handle }) => handle);
      scope(() => overwriteBeside(entries[0].staging as Staging, handles, vector));
    }
    for (const { handle, low } of entries) {
      // In place: a captured graph reads it there.
      if (low) scope(() => aten.copy_(low, handle));
    }
  }

  /** Copy a tensor's elements to `target` as soon as the work queued before `copiesAwaitComputation` is done. */
  readBeside(info: TensorInfo, target: NumericArray): void {
    beside(() => this.readInto(info, target));
  }

  /** Let a CUDA device copy to and from an array's whole buffer at full speed, until `unpin`, which also releases it. */
  pin({ buffer }: NumericArray): void {
    if (this.device !== 'cpu' && this.native.pin(new Uint8Array(buffer))) this.pinned.push(buffer);
  }

  /** Unpin every array. */
  unpin(): void {
    if (this.device !== 'cpu') this.native.unpin();
    this.pinned.length = 0;
  }

  override disposeData(dataId: DataId, force = false): boolean {
    if (!this.entries.has(dataId)) return true;
    const entry = this.entries.get(dataId);
    entry.refCount--;
    if (!force && entry.refCount > 0) return false;
    if (entry.handle) this.native.free(entry.handle);
    if (entry.low) this.native.free(entry.low);
    if (entry.staging) freeStaging(entry.staging);
    this.entries.delete(dataId);
    return true;
  }

  override incRef(dataId: DataId): void {
    this.entries.get(dataId).refCount++;
  }

  decRef(dataId: DataId): void {
    if (this.entries.has(dataId)) this.entries.get(dataId).refCount--;
  }

  override refCount(dataId: DataId): number {
    return this.entries.has(dataId) ? this.entries.get(dataId).refCount : 0;
  }

  override numDataIds(): number {
    return this.entries.numDataIds();
  }

  override memory(): { unreliable: boolean } {
    return { unreliable: false };
  }

  override timerAvailable(): boolean {
    return true;
  }

  override async time(run: () => void): Promise<{ kernelMs: number }> {
    this.native.synchronize();
    const startMs = performance.now();
    run();
    this.native.synchronize();
    return { kernelMs: performance.now() - startMs };
  }

  override floatPrecision(): 32 {
    return 32;
  }

  override dispose(): void {
    // TensorFlow.js moves tensors that still exist to another backend at their next use.
    for (const handle of this.constants.values()) this.native.free(handle);
    this.constants.clear();
  }

  /** A constant vector on the device, created once. It stays the backend's. */
  constant(values: number[]): Handle {
    const key = values.join();
    let handle = this.constants.get(key);
    if (handle === undefined) {
      handle = keep(() => this.native.write(Float32Array.from(values), [values.length], this.device));
      this.constants.set(key, handle);
    }
    return handle;
  }

  /** Create a tensor with these values. */
  make(values: BackendValues, shape: number[], dtype: DataType): TensorInfo {
    return { dataId: this.write(values, shape, dtype), shape, dtype };
  }
}

/** The current backend, which must be a TorchBackend. */
export const torchBackend = (): TorchBackend => engine().backend as TorchBackend;
