import Checkpoints
import Torch

extension WeightImport {
  /// A part of a network with its state and how others name it.
  typealias Target = (
    part: String, state: [NamingConvention.StateEntry], conventions: [NamingConvention]
  )

  /// The candidate that finds a place for most tensors, and where else in the file as many are.
  static func best(
    _ targets: [Target], in file: WeightFile
  ) -> (candidate: Candidate?, others: [String], rivals: [String]) {
    let candidates = targets.flatMap { target in
      target.conventions.flatMap { convention in
        Candidate.all(convention, target.part, target.state, in: file)
      }
    }
    // Of those that find as much the first: the whole before a part, our names before others'.
    let best = candidates.reduce(nil as Candidate?) { best, next in
      next.fitting > best?.fitting ?? 0 ? next : best
    }
    guard let best else { return (nil, [], []) }
    let others = candidates.filter {
      $0.convention == best.convention && $0.part == best.part && $0.prefix != best.prefix
        && $0.fitting == best.fitting
    }
    var rivals: [String] = []
    for other in candidates
    where other.part == best.part && other.fitting == best.fitting
      && other.convention != best.convention && !rivals.contains(other.convention)
    {
      rivals.append(other.convention)
    }
    return (best, others.map(\.prefix), rivals)
  }

  /// Another dictionary of the file that has more of the network than `fitting` tensors.
  static func alternative(
    to file: WeightFile, _ targets: [Target], _ rules: NameMap?, above fitting: Int
  ) -> (file: WeightFile, candidate: Candidate, part: String)? {
    var result: (file: WeightFile, candidate: Candidate, part: String)?
    for part in file.alternatives {
      // What cannot be read is no alternative.
      guard let other = try? WeightFile.open(file.path, part: part) else { continue }
      let renamed = rules.map { rules in other.renamed { rules($0) } } ?? other
      if let candidate = best(targets, in: renamed).candidate,
        candidate.fitting > result?.candidate.fitting ?? fitting
      {
        result = (renamed, candidate, part)
      }
    }
    return result
  }

  /// Those of the names left over that are outside of the network.
  ///
  /// They stand not after its prefix, or in a module that it has not. Heads that it may lack are not
  /// among them.
  static func outside(
    _ names: [String], prefix: String, taken: some Sequence<String>
  ) -> Set<String> {
    let modules = Set(taken.map { module($0, after: prefix) })
    return Set(
      names.filter { name in
        guard name.hasPrefix(prefix) else { return true }
        let module = module(name, after: prefix)
        // In a sequence of layers one more is another network.
        return !modules.contains(module) && Int(module) == nil && !heads.contains(module)
          && !classifiers.contains(module.drop { $0 == "_" })
      })
  }

  /// What a file may have the weights of: the network, or its backbone alone.
  ///
  /// Of a whole network whose convention is known only that is tried.
  static func targets(of module: Module, convention: String? = nil) -> [Target] {
    let state = module.state.map { (name: $0.name, shape: $0.tensor.shape) }
    guard let model = module as? SegmentationModel else {
      return [("", state, NamingConvention.conventions(ofPart: module))]
    }
    if let convention {
      let known = NamingConvention.conventions(of: model).filter { $0.name == convention }
      if !known.isEmpty { return [("", state, known)] }
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
  struct Candidate {
    let convention: String, part: String, prefix: String
    /// All names of the state, whether the file has them or not.
    let pairs: [(ours: String, recipe: WeightRecipe)]
    /// Whether a name after the prefix is one that nothing reads.
    let isUnused: (String) -> Bool
    /// How many tensors of the right shape the file has.
    let fitting: Int

    /// The most places in a file where a network is looked for.
    private static let maximumPrefixes = 64

    static func all(
      _ convention: NamingConvention, _ part: String, _ state: [NamingConvention.StateEntry],
      in file: WeightFile
    ) -> [Candidate] {
      let pairs = convention.recipes(state)
      guard let first = pairs.first?.recipe.names.first else { return [] }
      let shapes = Dictionary(state.map { ($0.name, $0.shape) }, uniquingKeysWith: { a, _ in a })
      let prefixes = file.entries.lazy.map(\.name)
        .filter { $0 == first || $0.hasSuffix("." + first) }
        .map { String($0.dropLast(first.count)) }
      // Weights before averages of them.
      return Set(prefixes).sorted {
        (WeightFile.isAverage($0) ? 1 : 0, $0.count, $0)
          < (WeightFile.isAverage($1) ? 1 : 0, $1.count, $1)
      }
      .prefix(maximumPrefixes).compactMap { prefix in
        let named = pairs.map { (ours: $0.ours, recipe: $0.recipe.renamed { prefix + $0 }) }
        let fitting = named.count { ours, recipe in
          guard let shape = shapes[ours] else { return false }
          guard let theirs = recipe.plainName else {
            return recipe.shape { file.entry($0)?.shape }.map { $0.isLike(shape) } ?? false
          }
          return file.entry(theirs)?.reshaped(shape) != nil
        }
        // Fewer than a tenth are a coincidence.
        guard 10 * fitting >= named.count else { return nil }
        let path = part.isEmpty ? "" : part + "."
        return Candidate(
          convention: convention.name, part: part, prefix: prefix,
          pairs: named.map { (path + $0.ours, $0.recipe) }, isUnused: convention.isUnused,
          fitting: fitting)
      }
    }
  }
}

extension [Int] {
  /// Whether a shape is another but for dimensions of length 1.
  func isLike(_ other: [Int]) -> Bool { filter { $0 != 1 } == other.filter { $0 != 1 } }
}
