import Torch

/// The tensors whose names begin alike.
final class ONNXPart: Module {
  private var inner: [(name: String, module: Module)] = []

  override var children: [(name: String, module: Module)] { inner }

  /// Adds a tensor under the parts of its name.
  func add(_ tensor: Tensor, name: String) {
    // A name of many dots would make parts that lie too deep in one another.
    var parts = name.split(separator: ".", maxSplits: 15, omittingEmptySubsequences: false)
      .map(String.init)
    let last = parts.removeLast()
    var place = self
    for part in parts {
      if let known = place.inner.first(where: { $0.name == part })?.module as? ONNXPart {
        place = known
      } else {
        let new = ONNXPart()
        place.inner.append((part, new))
        place = new
      }
    }
    place.inner.append(("", ONNXTensor(tensor, last)))
  }
}

/// A tensor under a name that no property could have.
private final class ONNXTensor: Module {
  private let value: Tensor
  private let name: String

  init(_ value: Tensor, _ name: String) { (self.value, self.name) = (value, name) }

  override var keys: [String: String] { ["value": name] }
}
