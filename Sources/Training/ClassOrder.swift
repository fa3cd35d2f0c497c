import Foundation
import Inference
import Segmentation
import Torch

/// Which of a file's classes each class of a network begins with, where both have as many and names.
struct ClassOrder {
  /// For each class of the network its place in the file.
  let places: [Int]
  private let ours: [String], theirs: [String]

  /// The order by names; nil where the numbers of classes differ, or the file names none.
  ///
  /// A class of the same name takes its own weights, also where only letter case, spaces, `_` or `-`
  /// differ. What has another name takes, in order, what is left.
  init?(ours: [String], theirs: [String]) {
    guard ours.count == theirs.count, !theirs.isEmpty else { return nil }
    (self.ours, self.theirs) = (ours, theirs)
    let same = ours.map { theirs.firstIndex(of: $0) }
    let (plainOurs, plainTheirs) = (ours.map(Self.plain), theirs.map(Self.plain))
    let own = same.enumerated().map { index, place -> Int? in
      let name = plainOurs[index]
      guard place == nil, !name.isEmpty, plainOurs.filter({ $0 == name }).count == 1,
        plainTheirs.filter({ $0 == name }).count == 1
      else { return place }
      return plainTheirs.firstIndex(of: name)
    }
    let taken = Set(own.compactMap { $0 })
    // A name that both have nowhere keeps its place, if that is free.
    var free = theirs.indices.filter { !taken.contains($0) }
    places = own.enumerated().map { index, place in
      if let place { return place }
      if let same = free.firstIndex(of: index) { return free.remove(at: same) }
      return free.isEmpty ? index : free.removeFirst()
    }
  }

  /// A name without what people write differently.
  private static func plain(_ name: String) -> String {
    name.lowercased().filter { !" _-".contains($0) }
  }

  /// Whether weights change their places.
  var isChange: Bool { places != Array(ours.indices) }

  /// What is done, as the end of a sentence; empty where both say the same.
  var description: String {
    let renamed = ours.indices.filter { ours[$0] != theirs[places[$0]] }
    let names = renamed.prefix(6).map { "\(ours[$0]) with those of \(theirs[places[$0]])" }
    let begins =
      renamed.isEmpty
      ? "" : "; \(names.joined(separator: ", "))" + (renamed.count > 6 ? " and so on" : "")
    guard isChange else {
      return renamed.isEmpty
        ? ""
        : "; classes of other names begin with the weights in order"
          + begins.replacingOccurrences(of: "; ", with: ": ")
    }
    return "; its classes stand in another order (\(theirs.joined(separator: ", "))), so that the"
      + " classifier's weights are put in the configuration's by name\(begins)"
  }

  /// Puts what a network has for each class in the network's order.
  ///
  /// What has one entry a class is what has one more in the same network for one class more.
  /// - Parameters:
  ///   - model: The network, with the file's weights in the file's order.
  ///   - file: The file, for messages.
  ///   - loaded: The names of what came from the file.
  ///   - build: Makes the network for another number of classes.
  /// - Throws: ``CheckpointError/otherClassOrder(file:ours:theirs:reason:)`` if something depends on the
  ///   number of classes in another way.
  func apply(
    to model: SegmentationModel, file: String, only loaded: Set<String>,
    build: (_ classes: Int) throws -> SegmentationModel
  ) throws {
    func refusal(_ name: String, _ shape: [Int]) -> CheckpointError {
      .otherClassOrder(
        file: file, ours: ours, theirs: theirs,
        reason: "'\(name)' \(shape) has no entry for each class that could be put in another order;"
          + " expected the file's order in `data.classes`")
    }
    let wider = Dictionary(
      try withPreservedRandomState { try build(ours.count + 1) }.state.map {
        ($0.name, $0.tensor.shape)
      }, uniquingKeysWith: { first, _ in first })
    var changes: [(tensor: Tensor, axis: Int)] = []
    for (name, tensor) in model.state where loaded.contains(name) {
      let shape = tensor.shape
      guard let other = wider[name], other.count == shape.count else { throw refusal(name, shape) }
      let axes = shape.indices.filter { shape[$0] != other[$0] }
      guard axes.count < 2,
        axes.allSatisfy({ shape[$0] == ours.count && other[$0] == shape[$0] + 1 })
      else { throw refusal(name, shape) }
      if let axis = axes.first { changes.append((tensor, axis)) }
    }
    let order = Tensor(places.map(Int64.init))
    try attempt {
      withoutGradients {
        for (tensor, axis) in changes {
          tensor.assign(tensor.entries(axis, order.to(tensor.device)))
        }
      }
    }
  }
}
