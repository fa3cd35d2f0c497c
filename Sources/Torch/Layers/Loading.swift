/// What a set of named tensors would do to a module: which load and which do not fit.
public struct LoadReport: Sendable, CustomStringConvertible {
  /// A tensor that has the right name and another shape.
  public struct Mismatch: Sendable {
    /// The name in the module.
    public let name: String
    /// The shape that the module has.
    public let expected: [Int]
    /// The shape that was given.
    public let found: [Int]
  }

  /// The names that load.
  public var loaded: [String] = []
  /// The names that the module has and the tensors lack.
  public var missing: [String] = []
  /// The names that the tensors have and the module lacks.
  public var unexpected: [String] = []
  /// The names that both have in different shapes.
  public var mismatched: [Mismatch] = []

  /// Whether every tensor finds its place and every place its tensor.
  public var isComplete: Bool { missing.isEmpty && unexpected.isEmpty && mismatched.isEmpty }

  /// What fits and what does not, as text.
  public var description: String {
    func list(_ title: String, _ items: [String]) -> String {
      guard !items.isEmpty else { return "" }
      let shown = items.prefix(12).map { "\n    \($0)" }.joined()
      let rest = items.count > 12 ? "\n    … and \(items.count - 12) more" : ""
      return "\n  \(title) (\(items.count)):\(shown)\(rest)"
    }
    return "\(loaded.count) of \(loaded.count + missing.count + mismatched.count) tensors fit"
      + list("missing in the file", missing)
      + list("left over in the file", unexpected)
      + list(
        "of another shape",
        mismatched.map { "\($0.name): the model has \($0.expected), the file \($0.found)" })
  }
}

/// Which disagreements between a module and a set of tensors are let pass.
public struct LoadStrictness: OptionSet, Sendable {
  /// The bits.
  public let rawValue: Int

  /// The strictness of these bits.
  public init(rawValue: Int) { self.rawValue = rawValue }

  /// Every tensor of the module must be given.
  public static let noMissing = LoadStrictness(rawValue: 1)
  /// Every tensor given must be one of the module's.
  public static let noUnexpected = LoadStrictness(rawValue: 2)
  /// Shapes must agree.
  public static let noMismatch = LoadStrictness(rawValue: 4)
  /// Nothing may disagree.
  public static let all: LoadStrictness = [.noMissing, .noUnexpected, .noMismatch]

  /// Whether nothing that the report tells is forbidden.
  public func allows(_ report: LoadReport) -> Bool {
    !(contains(.noMissing) && !report.missing.isEmpty
      || contains(.noUnexpected) && !report.unexpected.isEmpty
      || contains(.noMismatch) && !report.mismatched.isEmpty)
  }
}

/// Tensors that do not fit a module, all of them named.
public struct LoadError: Error, CustomStringConvertible {
  /// What fits and what does not.
  public let report: LoadReport
  /// What fits and what does not, as text.
  public var description: String { "the weights are those of another network: \(report)" }
}

extension Module {
  /// What ``load(_:strictness:)`` would do.
  public final func loadReport(_ tensors: [String: [Int]]) -> LoadReport {
    var report = LoadReport()
    var names = Set<String>()
    for (name, tensor) in state {
      names.insert(name)
      guard let shape = tensors[name] else {
        // Files older than PyTorch 0.4.1 lack the counter of batches.
        if name.hasSuffix("num_batches_tracked") || (tensor as? Buffer)?.isConstant == true {
          report.loaded.append(name)
        } else {
          report.missing.append(name)
        }
        continue
      }
      // What is constant stays, if the file's is of the same kind for another size.
      let isConstant = (tensor as? Buffer)?.isConstant == true
      if isConstant && shape != tensor.shape && shape.count == tensor.rank { continue }
      if shape == tensor.shape {
        report.loaded.append(name)
      } else {
        report.mismatched.append(.init(name: name, expected: tensor.shape, found: shape))
      }
    }
    report.unexpected = tensors.keys.filter { !names.contains($0) }.sorted()
    return report
  }

  /// Copies `tensors` into the parameters and buffers of the same names.
  ///
  /// Nothing is changed when it throws.
  /// - Throws: ``LoadError`` if a disagreement is one that `strictness` forbids.
  @discardableResult
  public final func load(
    _ tensors: [String: Tensor], strictness: LoadStrictness = .all
  ) throws -> LoadReport {
    let report = loadReport(tensors.mapValues(\.shape))
    guard strictness.allows(report) else { throw LoadError(report: report) }
    makeLoadable()
    let fits = Set(report.loaded)
    for (name, tensor) in state where fits.contains(name) {
      if let source = tensors[name] { tensor.assign(source) }
    }
    return report
  }
}
