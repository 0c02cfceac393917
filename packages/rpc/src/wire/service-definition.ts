import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import protobuf from 'protobufjs';

/** What messages are on our side: `@grpc/proto-loader`'s types (src/generated) are made for the same. */
const conversion: protobuf.IConversionOptions = { longs: Number, enums: String, defaults: true, oneofs: true };

/**
 * Read the services of a .proto file, by their full names. grpc-js's own loader also describes each message for reflection, which would
 * take each process longer than reading the file.
 */
export function readServices(path: string, names: readonly string[]): ServiceDefinition[] {
  const root = protobuf.loadSync(path).resolveAll();
  return names.map((name) => {
    const methods = root.lookupService(name).methodsArray;
    return Object.fromEntries(methods.map((method) => [method.name, methodOf(method, name)]));
  });
}

function methodOf(method: protobuf.Method, service: string): MethodDefinition<object, object> {
  const [request, response] = [method.resolvedRequestType, method.resolvedResponseType];
  if (!request || !response) throw new Error(`${service}.${method.name} is not resolved`);
  return {
    path: `/${service}/${method.name}`,
    originalName: method.name[0].toLowerCase() + method.name.slice(1),
    requestStream: !!method.requestStream,
    responseStream: !!method.responseStream,
    requestSerialize: writer(request),
    requestDeserialize: reader(request),
    responseSerialize: writer(response),
    responseDeserialize: reader(response),
  };
}

const writer =
  (type: protobuf.Type) =>
  (message: object): Buffer =>
    // Buffers on Node.js.
    type.encode(type.fromObject(message)).finish() as Buffer;

const reader =
  (type: protobuf.Type) =>
  (bytes: Buffer): object =>
    type.toObject(type.decode(bytes), conversion);
