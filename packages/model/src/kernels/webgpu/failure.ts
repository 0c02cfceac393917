import { FourfoldError } from '@fourfold/common/basics';

/** The part of a GPUDevice that tells of failures. */
interface Watched {
  lost: Promise<{ reason: string; message: string }>;
  addEventListener(type: 'uncapturederror', listener: (event: Event & { error: Error }) => void): void;
}

/** The first failure of the device that computes: WebGPU goes on after one, with zeros. */
let failure: Error | undefined;

/** Remember the first failure of a device, for `checkDevice`; an earlier device is forgotten. */
export function watchDevice(device: Watched, name: string): void {
  failure = undefined;
  device.addEventListener('uncapturederror', (event) => {
    // Or Dawn prints it, and all that follow from it.
    event.preventDefault();
    failure ??= failureOf(event.error, name);
  });
  void device.lost.then(({ reason, message }) => {
    failure ??= new FourfoldError(
      'unavailable',
      `backend webgpu: the device ${name} was lost (${reason}): ${message}`,
      {
        hint: 'see the system’s log for the GPU’s driver; a new process gets a new device',
      },
    );
  });
}

/** Whether the device has failed. */
export const hasFailed = (): boolean => failure !== undefined;

/** Throw the device's failure, if it has one. */
export function checkDevice(): void {
  if (failure) throw failure;
}

function failureOf(error: Error, name: string): Error {
  const [line] = error.message.split('\n');
  const isMemory =
    error.constructor.name === 'GPUOutOfMemoryError' || /exceeds the max buffer size|out of memory/i.test(line);
  const message = `backend webgpu: ${isMemory ? 'no memory for' : 'error of'} ${name}: ${line}`;
  // The code by which a worker reports that memory has run out.
  return isMemory ? Object.assign(new Error(message), { code: 'OUT_OF_MEMORY' }) : new Error(message);
}
