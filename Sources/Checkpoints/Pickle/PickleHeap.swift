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
  /// A text: where its UTF-8 lies in the file.
  case text(Range<Int>)
  /// A tuple: where its elements lie in ``PickleHeap/elements``.
  case tuple(Range<Int>)
  case list(Int)
  case dictionary(Int)
  case global(PickleGlobal)
  case storage(Int)
  case tensor(Int)
  /// Something that weights do not need.
  case other

  /// What the value is, for messages.
  var kind: String {
    switch self {
    case .none: "nothing"
    case .bool: "true or false"
    case .int, .float: "a number"
    case .text: "a text"
    case .tuple: "a tuple"
    case .list: "a list"
    case .dictionary: "a dictionary"
    case .global: "a function or class"
    case .storage: "a storage without a shape"
    case .tensor: "a tensor without a name"
    case .other: "some object"
    }
  }
}

/// The containers, storages and tensors that a pickle makes.
struct PickleHeap {
  /// A run of elements that tensors look at.
  struct Storage {
    /// What the file calls it.
    let key: String
    /// The type of the elements; none for plain bytes.
    let dtype: DType?
    /// The number of elements, or of bytes.
    let count: Int
    /// For a part of a larger storage the index of its first element there.
    var offset = 0
  }

  /// A look at a storage.
  struct Tensor {
    let storage: Int
    let dtype: DType
    /// The index of the first element in the storage.
    let offset: Int
    let shape: [Int]
    let strides: [Int]
  }

  /// The elements of all tuples.
  var elements: [PickleValue] = []
  /// Lists.
  var lists: [[PickleValue]] = []
  /// Dictionaries, in the order of their keys' first appearance in the file.
  var dictionaries: [[(key: PickleValue, value: PickleValue)]] = []
  /// Storages.
  var storages: [Storage] = []
  /// Tensors.
  var tensors: [Tensor] = []

  /// The elements of a tuple or list.
  func items(_ value: PickleValue) -> ArraySlice<PickleValue>? {
    switch value {
    case .tuple(let range): elements[range]
    case .list(let index): lists[index][...]
    default: nil
    }
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
}
