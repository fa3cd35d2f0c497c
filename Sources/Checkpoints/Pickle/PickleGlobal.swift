import Torch

/// What the Python functions and classes that a pickle names stand for.
///
/// None of them is ever run: a few stand for what the reader itself does in their place, and all
/// others make objects of which nothing but the name is known.
enum PickleGlobal: Equatable {
  /// `collections.OrderedDict`.
  case orderedDictionary
  /// Gives back the first thing that it is called with: `torch.Size`, a list of TorchScript's.
  case first
  /// `torch._utils._rebuild_tensor`, without or with the two arguments that came later.
  case rebuildTensor
  /// `torch._utils._rebuild_tensor_v3`, which names the type of the elements.
  case rebuildTypedTensor
  /// `torch._utils._rebuild_parameter`: a tensor and what is of no use here.
  case rebuildParameter
  /// `torch._tensor._rebuild_from_type_v2`: one of the others with its arguments.
  case rebuildFromType
  /// Makes a tensor that is not read, and what is the matter with it.
  case refusedTensor(RefusedKind)
  /// `torch.FloatStorage` and its like; no type for `torch.storage.UntypedStorage`, plain bytes.
  case storage(ElementType?)
  /// `torch.float32` and its like.
  case dtype(ElementType)
  /// `_codecs.encode`, which makes bytes of a text.
  case encode
  /// `bytes` and `bytearray`.
  case bytes
  /// NumPy's: makes an array that is filled in later.
  case array
  /// NumPy's since protocol 5: an array over bytes.
  case arrayOverBytes
  /// `numpy.dtype`.
  case arrayType
  /// Makes an object of a class that is its first argument.
  case reconstruct
  /// `getattr`, by which pickles name methods and inner classes.
  case attribute
  /// Anything else: the number of its name in ``PickleHeap/names``.
  case named(Int)

  /// What a name stands for, or nil for what is not known here.
  ///
  /// - Throws: ``WeightFileError/forbidden(file:name:)`` for what nobody puts into a file but to
  ///   run programs on the machine that reads it.
  static func known(_ module: String, _ name: String, file: String) throws -> PickleGlobal? {
    let full = "\(module).\(name)"
    if let known = known[full] { return known }
    let top = String(module.prefix { $0 != "." })
    let isOfSystem = systemModules.contains(top) && !systemRecords.contains(name)
    guard !isOfSystem, !hostileModules.contains(top), !hostileNames.contains(full) else {
      throw WeightFileError.forbidden(file: file, name: full.printable)
    }
    return nil
  }

  /// The modules of the operating system, and what of theirs are mere records of facts.
  private static let systemModules: Set<String> = ["os", "posix", "nt"]
  private static let systemRecords: Set<String> = [
    "stat_result", "statvfs_result", "times_result", "uname_result", "terminal_size", "PathLike",
    "_Environ",
  ]

  /// Modules that run programs or load code.
  private static let hostileModules: Set<String> = [
    "subprocess", "runpy", "shutil", "ctypes", "importlib", "imp", "pty", "commands", "webbrowser",
    "code", "codeop", "bdb", "pdb", "timeit", "pickle", "_pickle", "marshal", "pip",
  ]

  private static let hostileNames: Set<String> = Set(
    ["builtins", "__builtin__", "__builtins__"].flatMap { module in
      ["eval", "exec", "execfile", "compile", "open", "__import__", "input"]
        .map { "\(module).\($0)" }
    }
  ).union([
    "torch.load", "torch.hub.load", "torch.jit.load", "torch.storage._load_from_bytes",
    "numpy.load",
  ])

  private static let known: [String: PickleGlobal] = {
    var known: [String: PickleGlobal] = [
      "collections.OrderedDict": .orderedDictionary,
      "torch.Size": .first,
      "torch._utils._rebuild_tensor": .rebuildTensor,
      "torch._utils._rebuild_tensor_v2": .rebuildTensor,
      "torch._utils._rebuild_tensor_v3": .rebuildTypedTensor,
      "torch._utils._rebuild_parameter": .rebuildParameter,
      "torch._utils._rebuild_parameter_with_state": .rebuildParameter,
      "torch._utils._rebuild_device_tensor_from_cpu_tensor": .rebuildParameter,
      "torch._utils._rebuild_device_tensor_from_numpy": .rebuildParameter,
      "torch._utils._rebuild_xla_tensor": .rebuildParameter,
      "torch._tensor._rebuild_from_type_v2": .rebuildFromType,
      "torch._utils._rebuild_qtensor": .refusedTensor(.quantized),
      "torch._utils._rebuild_sparse_tensor": .refusedTensor(.sparse),
      "torch._utils._rebuild_sparse_csr_tensor": .refusedTensor(.sparse),
      "torch._utils._rebuild_nested_tensor": .refusedTensor(.nested),
      "torch._utils._rebuild_meta_tensor_no_storage": .refusedTensor(.meta),
      "torch._utils._rebuild_wrapper_subclass": .refusedTensor(.wrapper),
      "torch.UntypedStorage": .storage(nil),
      "torch.storage.UntypedStorage": .storage(nil),
      "_codecs.encode": .encode,
      "builtins.bytearray": .bytes, "__builtin__.bytearray": .bytes,
      "builtins.bytes": .bytes, "__builtin__.bytes": .bytes,
      "builtins.getattr": .attribute, "__builtin__.getattr": .attribute,
      "numpy.dtype": .arrayType,
      "copyreg._reconstructor": .reconstruct, "copy_reg._reconstructor": .reconstruct,
      "copyreg.__newobj__": .reconstruct, "copyreg.__newobj_ex__": .reconstruct,
    ]
    // The module's name before NumPy 2 and since.
    for module in ["numpy.core", "numpy._core"] {
      known["\(module).multiarray._reconstruct"] = .array
      known["\(module).numeric._frombuffer"] = .arrayOverBytes
    }
    for kind in ["int", "tensor", "double", "bool"] {
      known["torch.jit._pickle.build_\(kind)list"] = .first
    }
    known["torch.jit._pickle.restore_type_tag"] = .first
    let complex = ["ComplexFloat": 8, "ComplexDouble": 16]
    let quantized = ["QInt8": 1, "QUInt8": 1, "QInt32": 4, "QUInt4x2": 1, "QUInt2x4": 1]
    let elements =
      storages.mapValues { ElementType.read($0) }
      .merging(complex.mapValues { .refused(.complex, byteCount: $0) }) { first, _ in first }
      .merging(quantized.mapValues { .refused(.quantized, byteCount: $0) }) { first, _ in
        first
      }
    for (type, element) in elements {
      known["torch.\(type)Storage"] = .storage(element)
      // A storage that was saved on a graphics processor is the same bytes.
      known["torch.cuda.\(type)Storage"] = .storage(element)
    }
    for dtype in DType.allCases { known["torch.\(dtype)"] = .dtype(.read(dtype)) }
    for coding in Coding.allCases where coding.isFloat8 {
      known["torch.\(coding.rawValue)"] = .dtype(.read(.float32, coding))
    }
    for (bits, size) in [(32, 4), (64, 8), (128, 16)] {
      known["torch.complex\(bits)"] = .dtype(.refused(.complex, byteCount: size))
    }
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

  /// What weights are made of beside those above, and which need no mention.
  static let unremarkable: Set<String> = [
    "torch.Tensor", "torch.nn.parameter.Parameter", "torch.nn.parameter.Buffer", "torch.device",
    "builtins.set", "__builtin__.set", "builtins.frozenset", "__builtin__.frozenset",
    "builtins.object", "__builtin__.object", "numpy.ndarray",
  ]
}
