import Checkpoints
import Torch

/// The tensors of a file under the names of a network, whichever toolkit wrote it.
///
/// The convention is the one that finds a place for most tensors of the right shape. What stands
/// before all names, such as `encoder.`, is passed over.
public struct WeightImport {
  /// The convention of the file's names.
  public let convention: String
  /// What stands before the names in the file.
  public let prefix: String
  /// The part of the network that the file has weights for, such as `backbone`; empty for the whole.
  public let part: String
  /// What loads and what does not; names that are left over are the file's.
  public let report: LoadReport
  /// The network's names and the file's, for what loads, in the network's order.
  public let names: [(ours: String, theirs: String)]
  /// What the file has that no network takes: the mean and deviation of its images.
  public let passedOver: [String]
  /// Position embeddings that load resized from another size of image or window.
  public let resized: [String]
  /// The shapes of what the file has, by its names.
  let shapes: [String: [Int]]
  private let file: WeightFile
  private let module: Module
  private let resizings: [String: (Tensor) -> Tensor]

  /// Finds the network's tensors in a file.
  ///
  /// - Parameters:
  ///   - module: A network, a backbone or a classifier of images.
  ///   - rules: Rewrites the file's names first.
  public init(_ file: WeightFile, for module: Module, rules: NameMap? = nil) {
    let file = rules.map { rules in file.renamed { rules($0) } } ?? file
    let candidates = Self.targets(of: module).flatMap { target in
      target.conventions.flatMap { convention in
        Candidate.all(convention, target.part, target.state, in: file)
      }
    }
    // Of those that find as much the first: the whole before a part, our names before others'.
    let best = candidates.reduce(nil as Candidate?) { best, next in
      next.fitting > best?.fitting ?? 0 ? next : best
    }
    convention = best?.convention ?? "unknown"
    prefix = best?.prefix ?? ""
    part = best?.part ?? ""
    let pairs = best?.pairs ?? []

    var found: [String: WeightFile.Entry] = [:]
    for (ours, theirs) in pairs {
      if let entry = file.entry(theirs) { found[ours] = entry }
    }
    self.shapes = file.shapes
    let shapes = Dictionary(
      module.state.map { ($0.name, $0.tensor.shape) }, uniquingKeysWith: { first, _ in first })
    self.file = WeightFile(
      file,
      entries: found.map { name, entry in
        var entry = entry
        entry.name = name
        return shapes[name].flatMap(entry.reshaped) ?? entry
      })
    self.module = module
    var report = module.loadReport(self.file.shapes)
    let used = Set(pairs.map(\.theirs))
    let resizings = Self.resizings(of: module, report.mismatched)
    resized = report.mismatched.map(\.name).filter(resizings.keys.contains)
    self.resizings = resizings
    report.loaded += resized
    report.mismatched.removeAll { resizings.keys.contains($0.name) }
    // Counters of batches that old files lack.
    report.loaded = report.loaded.filter { found[$0] != nil }
    let unused = file.entries.map(\.name).filter { !used.contains($0) }
    passedOver = unused.filter { $0.hasPrefix(Self.preprocessing) }
    report.unexpected = unused.filter { !$0.hasPrefix(Self.preprocessing) }
    self.report = report
    names = pairs.filter { found[$0.ours] != nil }
  }

  /// Copies what fits into the network.
  ///
  /// - Parameter strictness: What must not disagree.
  /// - Throws: `WeightFileError.otherNetwork`, and nothing is changed then; `TorchError` if memory
  ///   is short.
  public func load(_ strictness: LoadStrictness = .all) throws {
    guard strictness.allows(report) else {
      throw WeightFileError.otherNetwork(file: file.path, report: report)
    }
    try file.load(into: module, strictness: [])
    for (name, tensor) in module.state {
      guard let resize = resizings[name] else { continue }
      let given = try file.tensor(name)
      try attempt { withoutGradients { tensor.assign(resize(given.to(.float32))) } }
    }
  }

  /// What makes parameters of tensors of another shape, where a part of the network knows how.
  private static func resizings(
    of module: Module, _ mismatches: [LoadReport.Mismatch]
  ) -> [String: (Tensor) -> Tensor] {
    var result: [String: (Tensor) -> Tensor] = [:]
    guard !mismatches.isEmpty else { return result }
    for case let (path, part as any ResizableWeights) in module.modules {
      for mismatch in mismatches where path.isEmpty || mismatch.name.hasPrefix(path + ".") {
        let own = mismatch.name.dropFirst(path.isEmpty ? 0 : path.count + 1)
        result[mismatch.name] =
          part.resizing(String(own), from: mismatch.found) ?? result[mismatch.name]
      }
    }
    return result
  }

  /// The number of classes here and in the file if that is all that differs, as for weights of
  /// another data set.
  public var classCounts: (ours: Int, theirs: Int)? {
    guard report.missing.isEmpty, let first = report.mismatched.first,
      report.unexpected.allSatisfy({ module($0) == "auxiliary_head" }),
      let ours = first.expected.first, let theirs = first.found.first,
      report.mismatched.allSatisfy({
        $0.expected.first == ours && $0.found.first == theirs
          && $0.expected.dropFirst() == $0.found.dropFirst()
      })
    else { return nil }
    return (ours, theirs)
  }

  /// Whether all that disagrees is a classifier of images after the last of the network's layers.
  public var onlyClassifierIsLeftOver: Bool {
    report.missing.isEmpty && report.mismatched.isEmpty && !report.unexpected.isEmpty
      && report.unexpected.allSatisfy(isClassifier)
  }

  /// Whether the network's backbone loads and nothing of its heads is in the file.
  public var lacksOnlyHead: Bool {
    report.mismatched.isEmpty && report.missing.allSatisfy { !$0.hasPrefix("backbone.") }
      && report.unexpected.allSatisfy { isClassifier($0) || isMMSegmentationHead($0) }
  }

  /// Whether all that disagrees is that the file has auxiliary heads of MMSegmentation's.
  public var onlyAuxiliaryIsLeftOver: Bool {
    onlyClassifierIsLeftOver && report.unexpected.allSatisfy { module($0) == "auxiliary_head" }
  }

  /// Whether all that is missing belongs to auxiliary heads, which only training uses.
  public var lacksOnlyAuxiliary: Bool {
    report.mismatched.isEmpty && !report.missing.isEmpty
      && report.missing.allSatisfy { $0.hasPrefix("aux_classifier.") }
      && report.unexpected.allSatisfy { module($0) == "auxiliary_head" }
  }

  /// What MMSegmentation puts beside the weights: the mean and deviation of images.
  private static let preprocessing = "data_preprocessor."

  private func isClassifier(_ name: String) -> Bool {
    let first = module(name).drop { $0 == "_" }
    return [
      "fc", "classifier", "head", "heads", "aux_classifier", "conv_head", "auxiliary_head",
    ].contains(first)
  }

  private func isMMSegmentationHead(_ name: String) -> Bool {
    ["decode_head", "neck"].contains(module(name))
  }

  /// The first part of one of the file's names.
  private func module(_ name: String) -> Substring {
    (name.hasPrefix(prefix) ? name.dropFirst(prefix.count) : name[...])
      .split(separator: ".").first ?? ""
  }

  // MARK: Recognition

  /// What a file may have the weights of: the network, or its backbone alone.
  private static func targets(
    of module: Module
  ) -> [(part: String, state: [NamingConvention.StateEntry], conventions: [NamingConvention])] {
    let state = module.state.map { (name: $0.name, shape: $0.tensor.shape) }
    guard let model = module as? SegmentationModel else {
      return [("", state, NamingConvention.conventions(ofPart: module))]
    }
    let head = "backbone."
    let backbone = state.compactMap { entry in
      entry.name.hasPrefix(head)
        ? (name: String(entry.name.dropFirst(head.count)), shape: entry.shape) : nil
    }
    return [
      ("", state, NamingConvention.conventions(of: model)),
      ("backbone", backbone, NamingConvention.conventions(ofPart: model.backbone)),
    ]
  }

  /// A convention tried on a file.
  private struct Candidate {
    let convention: String, part: String, prefix: String
    /// All names of the state, whether the file has them or not.
    let pairs: [(ours: String, theirs: String)]
    /// How many tensors of the right shape the file has.
    let fitting: Int

    /// The most places in a file where a network is looked for.
    private static let maximumPrefixes = 64

    static func all(
      _ convention: NamingConvention, _ part: String, _ state: [NamingConvention.StateEntry],
      in file: WeightFile
    ) -> [Candidate] {
      let pairs = convention.theirs(state)
      guard let first = pairs.first?.theirs else { return [] }
      let shapes = Dictionary(state.map { ($0.name, $0.shape) }, uniquingKeysWith: { a, _ in a })
      let prefixes = file.entries.lazy.map(\.name)
        .filter { $0 == first || $0.hasSuffix("." + first) }
        .map { String($0.dropLast(first.count)) }
      return Set(prefixes).sorted { ($0.count, $0) < ($1.count, $1) }
        .prefix(maximumPrefixes).compactMap { prefix in
          let named = pairs.map { (ours: $0.ours, theirs: prefix + $0.theirs) }
          let fitting = named.count { ours, theirs in
            guard let shape = shapes[ours], let entry = file.entry(theirs) else { return false }
            return entry.reshaped(shape) != nil
          }
          // Fewer than a tenth are a coincidence.
          guard 10 * fitting >= named.count else { return nil }
          let path = part.isEmpty ? "" : part + "."
          return Candidate(
            convention: convention.name, part: part, prefix: prefix,
            pairs: named.map { (path + $0.ours, $0.theirs) }, fitting: fitting)
        }
    }
  }
}
