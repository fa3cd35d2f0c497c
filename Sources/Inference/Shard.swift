import Evaluation
import Files

/// A part of a folder's images, so that several machines share them: which of how many it is, from 1.
///
/// An image belongs to a part by its name alone, so that a folder that grows meanwhile is dealt all the same.
public struct Shard: Sendable, Equatable, Codable {
  /// Which part it is, from 1.
  public let index: Int
  /// How many there are.
  public let count: Int

  /// A part; nil for a number beyond the count.
  public init?(_ index: Int, of count: Int) {
    guard count >= 1, count <= 1_000_000, (1...count).contains(index) else { return nil }
    (self.index, self.count) = (index, count)
  }

  /// A part such as `3/64`; nil for other text.
  public init?(text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
    guard parts.count == 2, let index = parts[0], let count = parts[1] else { return nil }
    self.init(index, of: count)
  }

  /// What the names of a part's own files have before their ending.
  package var suffix: String { "-\(index)-of-\(count)" }

  /// Whether an image of this name, without its folder, belongs to the part.
  package func holds(_ name: String) -> Bool {
    // FNV-1a, and a last mixing as its low bits are weak.
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    hash = (hash ^ (hash >> 33)) &* 0xFF51_AFD7_ED55_8CCD
    hash = (hash ^ (hash >> 33)) &* 0xC4CE_B9FE_1A85_EC53
    return Int((hash ^ (hash >> 33)) % UInt64(count)) == index - 1
  }

  /// The part that a scheduler tells this process by its environment; nil where it tells none.
  ///
  /// Slurm's arrays set `SLURM_ARRAY_TASK_ID` with `_MIN`, `_COUNT` and, for steps, `_STEP`; torchrun `RANK` and
  /// `WORLD_SIZE`; Kubernetes' indexed jobs `JOB_COMPLETION_INDEX` alone, which needs `count`.
  ///
  /// - Parameters:
  ///   - environment: The variables of the environment.
  ///   - given: The number of parts, where the environment does not tell it.
  /// - Throws: ``ShardError``.
  public init?(environment: [String: String], count given: Int? = nil) throws {
    func number(_ name: String, _ default: Int? = nil) throws -> Int {
      guard let text = environment[name], !text.isEmpty else {
        guard let `default` else { throw ShardError.missing(name: name) }
        return `default`
      }
      guard let number = Int(text) else {
        throw ShardError.invalid(name: name, value: "'\(text)'", expected: "a whole number")
      }
      return number
    }
    func has(_ name: String) -> Bool { environment[name].map { !$0.isEmpty } ?? false }
    let slurm = "SLURM_ARRAY_TASK_ID", kubernetes = "JOB_COMPLETION_INDEX", torchrun = "RANK"
    let told =
      [slurm, kubernetes].filter(has) + (has("WORLD_SIZE") && has(torchrun) ? [torchrun] : [])
    guard let source = told.first else { return nil }
    guard told.count == 1 else { throw ShardError.several(names: told) }
    let index: Int, count: Int
    switch source {
    case slurm:
      let (id, first) = (try number(slurm), try number("SLURM_ARRAY_TASK_MIN"))
      let step = max(1, try number("SLURM_ARRAY_TASK_STEP", 1))
      count = try given ?? number("SLURM_ARRAY_TASK_COUNT")
      guard id >= first, (id - first) % step == 0 else {
        throw ShardError.invalid(
          name: slurm, value: "\(id)", expected: "\(first) and so many times \(step)")
      }
      index = (id - first) / step + 1
    case torchrun:
      (index, count) = (try number(torchrun) + 1, try given ?? number("WORLD_SIZE"))
    default:
      guard let given else { throw ShardError.missing(name: "the number of parts") }
      (index, count) = (try number(kubernetes) + 1, given)
    }
    guard let shard = Shard(index, of: count) else {
      throw ShardError.invalid(
        name: source, value: "'\(environment[source] ?? "")'",
        expected: "one of \(count) tasks without gaps between their numbers")
    }
    self = shard
  }
}

/// What a scheduler left out of the environment, or put there otherwise than it should.
public enum ShardError: Error, Sendable, Equatable, CustomStringConvertible {
  /// A number is missing.
  case missing(name: String)
  /// A number makes no sense.
  case invalid(name: String, value: String, expected: String)
  /// Several schedulers tell of a task.
  case several(names: [String])

  /// The message for a person.
  public var description: String {
    switch self {
    case .missing(let name):
      "the environment does not tell \(name); expected --shard auto/N with the number of parts, or"
        + " --shard K/N"
    case .invalid(let name, let value, let expected):
      "the environment's \(name) is \(value), expected \(expected); or --shard K/N"
    case .several(let names):
      "the environment has \(names.joined(separator: " and ")), expected one of them; or --shard K/N"
    }
  }
}
