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
  /// The network's names and the file's, for what loads, in the network's order; of several tensors that
  /// become one what is done with them, too.
  public let names: [(ours: String, theirs: String)]
  /// What the file has that no network takes: the mean and deviation of its images.
  public let passedOver: [String]
  /// What files of the convention have and nothing reads, neither here nor there.
  public let unread: [String]
  /// What the file has outside of the network: constants of the loss, metrics, a second network.
  public let leftAside: [String]
  /// Position embeddings that load resized from another size of image or window, and the first convolution
  /// where it loads widened from red, green and blue to other bands.
  public let resized: [String]
  /// What a person should know of how the weights were found.
  public let notes: [String]
  /// Other conventions that find as many tensors, in other places of the network.
  let rivals: [String]
  /// The shapes of what the file has, by its names.
  let shapes: [String: [Int]]
  let file: WeightFile
  /// What is made of several of the file's tensors, or of changed ones, by our names.
  private let recipes: [String: WeightRecipe]
  private let source: WeightFile
  private let module: Module
  private let resizings: [String: (Tensor) -> Tensor]

  /// Finds the network's tensors in a file.
  ///
  /// - Parameters:
  ///   - file: The weight file.
  ///   - module: A network, a backbone or a classifier of images.
  ///   - rules: Rewrites the file's names first.
  ///   - known: The convention of the file's names where that is known; nil for the one that fits
  ///     best.
  public init(
    _ file: WeightFile, for module: Module, rules: NameMap? = nil, convention known: String? = nil
  ) {
    let targets = Self.targets(of: module, convention: known)
    var (file, notes) = (rules.map { rules in file.renamed { rules($0) } } ?? file, [String]())
    var (best, others, rivals) = Self.best(targets, in: file)
    if best.map({ $0.fitting < $0.pairs.count }) ?? true,
      let better = Self.alternative(to: file, targets, rules, above: best?.fitting ?? 0)
    {
      (file, best, others, rivals) = (better.file, better.candidate, [], [])
      notes.append("the tensors of '\(better.part)' are taken instead, which fit better")
    }
    if !others.isEmpty {
      notes.append(
        "the network's weights stand after \(others.map { "'\($0)'" }.joined(separator: ", ")), too"
      )
    }
    self.rivals = rivals
    convention = best?.convention ?? "unknown"
    prefix = best?.prefix ?? ""
    part = best?.part ?? ""
    let pairs = best?.pairs ?? []

    var found: [String: WeightFile.Entry] = [:]
    var recipes: [String: WeightRecipe] = [:]
    var made: [String: [Int]] = [:]
    for (ours, recipe) in pairs {
      if let theirs = recipe.plainName {
        if let entry = file.entry(theirs) { found[ours] = entry }
      } else if let shape = recipe.shape({ file.entry($0)?.shape }) {
        (recipes[ours], made[ours]) = (recipe, shape)
      }
    }
    self.recipes = recipes
    source = file
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
    let both = self.file.shapes.merging(
      made.map { name, shape in
        (name, shapes[name].flatMap { $0.isLike(shape) ? $0 : nil } ?? shape)
      }
    ) { first, _ in first }
    var report = module.loadReport(both)
    let used = Set(pairs.flatMap(\.recipe.names))
    let resizings = Self.resizings(of: module, report.mismatched)
    resized = report.mismatched.map(\.name).filter(resizings.keys.contains)
    self.resizings = resizings
    for mismatch in report.mismatched {
      if let widened = WidenedInput(mismatch, of: module) {
        notes.append(
          "'\(mismatch.name)' is widened from red, green and blue to \(widened.bands) bands")
      }
    }
    report.loaded += resized
    report.mismatched.removeAll { resizings.keys.contains($0.name) }
    // Counters of batches that old files lack.
    report.loaded = report.loaded.filter { found[$0] != nil || recipes[$0] != nil }
    let unused = file.entries.map(\.name).filter { !used.contains($0) }
    passedOver = unused.filter { $0.hasPrefix(Self.preprocessing) }
    let own = prefix
    let isUnread: (String) -> Bool = { name in
      name.hasPrefix(own) && best?.isUnused(String(name.dropFirst(own.count))) ?? false
    }
    unread = unused.filter(isUnread)
    let rest = unused.filter { !$0.hasPrefix(Self.preprocessing) && !isUnread($0) }
    let isFound = report.missing.allSatisfy { $0.hasPrefix(Self.auxiliary) }
    let outside = isFound ? Self.outside(rest, prefix: prefix, taken: used) : []
    leftAside = rest.filter(outside.contains)
    report.unexpected = rest.filter { !outside.contains($0) }
    self.notes = notes
    self.report = report
    names = pairs.filter { found[$0.ours] != nil || recipes[$0.ours] != nil }
      .map { ($0.ours, $0.recipe.description) }
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
      guard let recipe = recipes[name],
        let shape = recipe.shape({ source.entry($0)?.shape }), shape.isLike(tensor.shape)
      else { continue }
      // Its parts are let go before the next.
      try attempt {
        try withoutGradients {
          tensor.assign(try recipe.value { try source.tensor($0) }.reshaped(tensor.shape))
        }
      }
    }
    for (name, tensor) in module.state {
      guard let resize = resizings[name], file.entry(name) != nil else { continue }
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
    for mismatch in mismatches {
      result[mismatch.name] = WidenedInput(mismatch, of: module).map { widened in { widened($0) } }
    }
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
      && report.missing.allSatisfy { $0.hasPrefix(Self.auxiliary) }
      && report.unexpected.allSatisfy { module($0) == "auxiliary_head" }
  }

  /// What MMSegmentation puts beside the weights: the mean and deviation of images.
  private static let preprocessing = "data_preprocessor."

  /// What auxiliary heads are called here.
  private static let auxiliary = "aux_classifier."

  /// The modules of classifiers of images and of auxiliary heads.
  static let classifiers: Set<Substring> = [
    "fc", "classifier", "head", "heads", "aux_classifier", "conv_head", "auxiliary_head",
  ]
  /// The modules of MMSegmentation's beside the backbone.
  static let heads: Set<Substring> = ["decode_head", "neck"]

  private func isClassifier(_ name: String) -> Bool {
    Self.classifiers.contains(module(name).drop { $0 == "_" })
  }

  private func isMMSegmentationHead(_ name: String) -> Bool { Self.heads.contains(module(name)) }

  /// The first part of one of the file's names.
  private func module(_ name: String) -> Substring { Self.module(name, after: prefix) }

  /// The first part of a name without its prefix.
  static func module(_ name: String, after prefix: String) -> Substring {
    (name.hasPrefix(prefix) ? name.dropFirst(prefix.count) : name[...])
      .split(separator: ".").first ?? ""
  }
}
