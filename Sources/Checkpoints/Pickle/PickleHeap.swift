import Torch

/// What a pickle says, as plain data.
///
/// Containers are numbers of a ``PickleHeap``'s, so that a pickle can nest and repeat them as it
/// likes: nothing here recurses, and nothing is freed one inside the other.
enum PickleValue: Equatable {
  case none
  case bool(Bool)
  case int(Int)
  case float(Double)
  case text(PickleText)
  case bytes(PickleText)
  /// A tuple: where its elements lie in ``PickleHeap/elements``.
  case tuple(Range<Int>)
  case list(Int)
  case dictionary(Int)
  case global(PickleGlobal)
  case storage(Int)
  case tensor(Int)
  /// NumPy's array.
  case array(Int)
  /// NumPy's type of elements.
  case arrayType(Int)
  /// An object of a class that is not known here.
  case object(Int)
  /// A number of more than 64 bits.
  case other

  /// What the value is, for messages.
  var kind: String {
    switch self {
    case .none: "nothing"
    case .bool: "true or false"
    case .int, .float: "a number"
    case .text: "a text"
    case .bytes: "bytes"
    case .tuple: "a tuple"
    case .list: "a list"
    case .dictionary: "a dictionary"
    case .global: "a function or class"
    case .storage: "a storage without a shape"
    case .tensor: "a tensor without a name"
    case .array: "an array without a name"
    case .arrayType: "a type of elements"
    case .object, .other: "some object"
    }
  }

  /// Whether nothing can be found in the value.
  var isPlain: Bool {
    switch self {
    case .none, .bool, .int, .float, .other: true
    default: false
    }
  }
}

/// The containers, storages, tensors and objects that a pickle makes.
struct PickleHeap {
  /// A run of elements that tensors look at.
  struct Storage {
    /// What the file calls it.
    let key: String
    /// The type of the elements; none for plain bytes.
    let type: ElementType?
    /// The number of elements, or of bytes.
    let count: Int
    /// For a part of a larger storage the index of its first element there.
    var offset = 0
  }

  /// A look at a storage.
  struct Tensor {
    let storage: Int
    let type: ElementType
    /// The index of the first element in the storage.
    let offset: Int
    let shape: [Int]
    let strides: [Int]

    /// A tensor that is not read.
    init(_ kind: RefusedKind) {
      self.init(storage: 0, type: .refused(kind, byteCount: 1), offset: 0, shape: [], strides: [])
    }

    init(storage: Int, type: ElementType, offset: Int, shape: [Int], strides: [Int]) {
      self.storage = storage
      self.type = type
      self.offset = offset
      self.shape = shape
      self.strides = strides
    }
  }

  /// An array of NumPy's: what is known of it so far.
  struct Array {
    var type: ElementType?
    var shape: [Int] = []
    /// Whether the first dimension is the one whose elements are neighbours.
    var isColumnMajor = false
    var bytes: PickleText?
  }

  /// A type of NumPy's elements: what its name says, and the type.
  struct ArrayType {
    let name: String
    var type: ElementType?
  }

  /// An object of a class or function that is not known here.
  struct Object {
    /// The number of its class's name, or nil where it has none.
    let name: Int?
    /// What it was made with.
    var arguments = PickleValue.none
    /// Its attributes, or whatever its class keeps in their place.
    var state = PickleValue.none
    /// The dictionary of what was put into it by keys.
    var items: Int?
  }

  /// The elements of all tuples.
  var elements: [PickleValue] = []
  /// Lists, without the numbers that follow the first few.
  var lists: [[PickleValue]] = []
  /// Dictionaries, in the order of their keys' first appearance in the file.
  var dictionaries: [[(key: PickleValue, value: PickleValue)]] = []
  /// Storages.
  var storages: [Storage] = []
  /// Tensors.
  var tensors: [Tensor] = []
  /// NumPy's arrays and types.
  var arrays: [Array] = []
  var arrayTypes: [ArrayType] = []
  /// Objects of other classes.
  var objects: [Object] = []
  /// The names of classes and functions that are not known here.
  var names: [String] = []

  /// The elements of a tuple or list.
  func items(_ value: PickleValue) -> ArraySlice<PickleValue>? {
    switch value {
    case .tuple(let range): elements[range]
    case .list(let index): lists[index][...]
    default: nil
    }
  }

  /// The first few elements of a tuple or list, which is all that any that means something has.
  func first(_ value: PickleValue) -> [PickleValue]? {
    items(value).map { Swift.Array($0.prefix(8)) }
  }

  /// The whole numbers of a tuple or list.
  func integers(_ value: PickleValue) -> [Int]? {
    guard let items = items(value), items.count <= Pickle.maximumRank else { return nil }
    var numbers: [Int] = []
    for item in items {
      guard case .int(let number) = item else { return nil }
      numbers.append(number)
    }
    return numbers
  }

  /// What the value is, for messages: objects by the names of their classes.
  func kind(_ value: PickleValue) -> String {
    switch value {
    case .object(let index): objects[index].name.map { names[$0].printable } ?? value.kind
    case .global(.named(let name)): "the function or class \(names[name].printable)"
    default: value.kind
    }
  }
}
