import Torch

/// The Python functions and classes that files of weights are made of; nothing else is known here.
///
/// None of them is ever run: each stands for what the reader itself does in its place.
enum PickleGlobal: Equatable {
  /// `collections.OrderedDict`.
  case orderedDictionary
  /// `torch.Size`, a tuple.
  case size
  /// `torch._utils._rebuild_tensor`, without or with the two arguments that came later.
  case rebuildTensor
  /// `torch._utils._rebuild_tensor_v3`, which names the type of the elements.
  case rebuildTypedTensor
  /// `torch._utils._rebuild_parameter`: a tensor and what is of no use here.
  case rebuildParameter
  /// `torch._tensor._rebuild_from_type_v2`: one of the others with its arguments.
  case rebuildFromType
  /// `torch.FloatStorage` and its like; no type for `torch.storage.UntypedStorage`, plain bytes.
  case storage(DType?)
  /// `torch.float32` and its like.
  case dtype(DType)
  /// `torch.Tensor` and what may stand for it.
  case tensorClass
  /// Makes bytes, sets and devices, which are passed over.
  case other
  /// Makes what training notes beside weights, which is passed over: NumPy's numbers and arrays, and
  /// MMEngine's histories of losses.
  case record
  /// `getattr`, by which MMEngine's histories name their own methods; of nothing else.
  case attribute

  /// What a name stands for.
  ///
  /// - Throws: ``WeightFileError/forbidden(file:name:)``; ``WeightFileError/unsupported(file:found:)``
  ///   for weights of a kind that is not read.
  static func named(_ module: String, _ name: String, file: String) throws -> PickleGlobal {
    let full = "\(module).\(name)"
    if let known = known[full] { return known }
    if let kind = unsupported[full] {
      throw WeightFileError.unsupported(file: file, found: "\(kind) (\(full))")
    }
    throw WeightFileError.forbidden(file: file, name: full.printable)
  }

  private static let known: [String: PickleGlobal] = {
    var known: [String: PickleGlobal] = [
      "collections.OrderedDict": .orderedDictionary,
      "torch.Size": .size,
      "torch._utils._rebuild_tensor": .rebuildTensor,
      "torch._utils._rebuild_tensor_v2": .rebuildTensor,
      "torch._utils._rebuild_tensor_v3": .rebuildTypedTensor,
      "torch._utils._rebuild_parameter": .rebuildParameter,
      "torch._utils._rebuild_parameter_with_state": .rebuildParameter,
      "torch._tensor._rebuild_from_type_v2": .rebuildFromType,
      "torch.Tensor": .tensorClass,
      "torch.nn.parameter.Parameter": .tensorClass,
      "torch.nn.parameter.Buffer": .tensorClass,
      "torch.UntypedStorage": .storage(nil),
      "torch.storage.UntypedStorage": .storage(nil),
      "torch.device": .other,
      "_codecs.encode": .other,
      "builtins.bytearray": .other, "__builtin__.bytearray": .other,
      "builtins.set": .other, "__builtin__.set": .other,
      "builtins.getattr": .attribute, "__builtin__.getattr": .attribute,
      "numpy.ndarray": .record, "numpy.dtype": .record,
      "mmengine.logging.history_buffer.HistoryBuffer": .record,
    ]
    // The module's name before NumPy 2 and since.
    for module in ["numpy.core.multiarray", "numpy._core.multiarray"] {
      known["\(module).scalar"] = .record
      known["\(module)._reconstruct"] = .record
    }
    for (type, dtype) in storages {
      known["torch.\(type)Storage"] = .storage(dtype)
      // A storage that was saved on a graphics processor is the same bytes.
      known["torch.cuda.\(type)Storage"] = .storage(dtype)
    }
    for dtype in DType.allCases { known["torch.\(dtype)"] = .dtype(dtype) }
    return known
  }()

  private static let storages: [String: DType] = [
    "Double": .float64, "Float": .float32, "Half": .float16, "BFloat16": .bfloat16,
    "Long": .int64, "Int": .int32, "Short": .int16, "Char": .int8, "Byte": .uint8,
    "Bool": .bool,
  ]

  /// The class of the storages of a type, or nil where it has none.
  static func storageName(_ dtype: DType) -> String? {
    storages.first { $0.value == dtype }.map { "\($0.key)Storage" }
  }

  private static let unsupported: [String: String] = [
    "torch.ComplexFloatStorage": "complex numbers", "torch.ComplexDoubleStorage": "complex numbers",
    "torch.complex32": "complex numbers", "torch.complex64": "complex numbers",
    "torch.complex128": "complex numbers",
    "torch.QInt8Storage": "quantized weights", "torch.QUInt8Storage": "quantized weights",
    "torch.QInt32Storage": "quantized weights", "torch.QUInt4x2Storage": "quantized weights",
    "torch.QUInt2x4Storage": "quantized weights",
    "torch._utils._rebuild_qtensor": "quantized weights",
    "torch.float8_e4m3fn": "eight-bit floating-point numbers",
    "torch.float8_e5m2": "eight-bit floating-point numbers",
    "torch._utils._rebuild_sparse_tensor": "sparse tensors",
    "torch._utils._rebuild_nested_tensor": "nested tensors",
    "torch._utils._rebuild_meta_tensor_no_storage": "tensors without data",
  ]
}
