import protobuf from 'protobufjs';

/*
 * The part of ONNX's messages that a generator needs, with the field numbers of onnx.proto3 (onnx/onnx, 1.16; they never
 * change).
 */

/** TensorProto.DataType. */
export const dataTypes = { float: 1, uint8: 2 } as const;

const attributeTypes = { int: 2, string: 3, ints: 7 } as const;

/** One operation of a graph; tensors are referred to by name. */
export interface OnnxNode {
  opType: string;
  input: string[];
  output: string[];
  name: string;
  attribute: OnnxAttribute[];
}

export type OnnxAttribute =
  | { name: string; type: 2; i: number }
  | { name: string; type: 3; s: Uint8Array }
  | { name: string; type: 7; ints: number[] };

export interface OnnxTensor {
  name: string;
  dims: number[];
  dataType: number;
  /** Little-endian elements. */
  rawData: Uint8Array;
}

/** An input or output tensor; a dimension given by a name may have any size. */
export interface OnnxValue {
  name: string;
  docString: string;
  type: { tensorType: { elemType: number; shape: { dim: ({ dimValue: number } | { dimParam: string })[] } } };
}

export interface OnnxModel {
  irVersion: number;
  producerName: string;
  producerVersion: string;
  docString: string;
  opsetImport: { domain: string; version: number }[];
  metadataProps: { key: string; value: string }[];
  graph: {
    name: string;
    node: OnnxNode[];
    initializer: OnnxTensor[];
    input: OnnxValue[];
    output: OnnxValue[];
  };
}

export const intAttribute = (name: string, i: number): OnnxAttribute => ({ name, type: attributeTypes.int, i });
export const intsAttribute = (name: string, ints: number[]): OnnxAttribute => ({
  name,
  type: attributeTypes.ints,
  ints,
});
export const textAttribute = (name: string, text: string): OnnxAttribute => ({
  name,
  type: attributeTypes.string,
  s: Buffer.from(text),
});

const field = (id: number, type: string) => ({ id, type });
const repeated = (id: number, type: string) => ({ id, type, rule: 'repeated' });

const root = protobuf.Root.fromJSON({
  nested: {
    Model: {
      fields: {
        irVersion: field(1, 'int64'),
        producerName: field(2, 'string'),
        producerVersion: field(3, 'string'),
        docString: field(6, 'string'),
        graph: field(7, 'Graph'),
        opsetImport: repeated(8, 'OperatorSetId'),
        metadataProps: repeated(14, 'StringStringEntry'),
      },
    },
    OperatorSetId: { fields: { domain: field(1, 'string'), version: field(2, 'int64') } },
    StringStringEntry: { fields: { key: field(1, 'string'), value: field(2, 'string') } },
    Graph: {
      fields: {
        node: repeated(1, 'Node'),
        name: field(2, 'string'),
        initializer: repeated(5, 'Tensor'),
        input: repeated(11, 'ValueInfo'),
        output: repeated(12, 'ValueInfo'),
      },
    },
    Node: {
      fields: {
        input: repeated(1, 'string'),
        output: repeated(2, 'string'),
        name: field(3, 'string'),
        opType: field(4, 'string'),
        attribute: repeated(5, 'Attribute'),
      },
    },
    Attribute: {
      fields: {
        name: field(1, 'string'),
        i: field(3, 'int64'),
        s: field(4, 'bytes'),
        ints: repeated(8, 'int64'),
        type: field(20, 'int32'),
      },
    },
    Tensor: {
      fields: {
        dims: repeated(1, 'int64'),
        dataType: field(2, 'int32'),
        name: field(8, 'string'),
        rawData: field(9, 'bytes'),
      },
    },
    ValueInfo: { fields: { name: field(1, 'string'), type: field(2, 'Type'), docString: field(3, 'string') } },
    Type: { fields: { tensorType: field(1, 'TensorType') } },
    TensorType: { fields: { elemType: field(1, 'int32'), shape: field(2, 'Shape') } },
    Shape: { fields: { dim: repeated(1, 'Dimension') } },
    Dimension: { fields: { dimValue: field(1, 'int64'), dimParam: field(2, 'string') } },
  },
});
const modelType = root.lookupType('Model');

/** Encode a model as the bytes of an .onnx file. */
export const encodeOnnx = (model: OnnxModel): Uint8Array => modelType.encode(modelType.create(model)).finish();
