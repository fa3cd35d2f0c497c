import Foundation
import Imaging
import Segmentation
import Torch

#if canImport(Glibc)
  import Glibc
#endif

/// Why an image is not run through a network.
public enum PredictionError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The image would need more memory than it may have.
  case tooLarge(file: String, size: Size, need: Int, budget: Int)
  /// An image of `size` would need more memory than it may have as the network sees it.
  case seenTooLarge(file: String, size: Size, seen: Size, need: Int, budget: Int)
  /// The image has another number of bands than the network.
  case otherBands(file: String, bands: Int, expected: Int)

  /// The message for a person.
  public var description: String {
    switch self {
    case .tooLarge(let file, let size, let need, let budget):
      "\(file): \(size.width)×\(size.height) pixels would need about \(gigabytes(need)) of memory,"
        + " the budget is \(gigabytes(budget)); expected a smaller image, a larger memory budget"
        + " or prediction in tiles"
    case .seenTooLarge(let file, let size, let seen, let need, let budget):
      "\(file): \(size.width)×\(size.height) pixels, which the network sees at \(seen.width)×\(seen.height),"
        + " would need about \(gigabytes(need)) of memory, the budget is \(gigabytes(budget)); expected"
        + " an image of another shape, a larger memory budget, prediction in tiles or another"
        + " evaluate.shortSide"
    case .otherBands(let file, let bands, let expected):
      "\(file): has \(bands) \(bands == 1 ? "band" : "bands"), expected \(expected)"
        + (expected == 3 ? " (red, green, blue)" : ", those that the network was trained with")
    }
  }
}

/// How much memory may be used, and how much there is.
public enum MemoryBudget {
  /// What a program may use when nobody says otherwise: 80 % of what the system has free, within
  /// the limit of its control group.
  public static var standard: Int {
    let available = systemAvailable ?? Int(ProcessInfo.processInfo.physicalMemory) / 2
    return Int(Double(min(available, groupLimit ?? .max)) * 0.8)
  }

  private static var systemAvailable: Int? {
    guard let text = try? String(contentsOfFile: "/proc/meminfo", encoding: .utf8) else {
      return nil
    }
    for line in text.split(separator: "\n") where line.hasPrefix("MemAvailable:") {
      return line.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 << 10 }
    }
    return nil
  }

  /// What the control group still leaves.
  private static var groupLimit: Int? {
    func number(_ text: some StringProtocol) -> Int? {
      Int(text.trimmingCharacters(in: .whitespacesAndNewlines))
    }
    func read(_ name: String) -> String? { try? String(contentsOfFile: name, encoding: .utf8) }
    // The two versions of control groups call the same numbers differently.
    for (folder, limit, used, cached) in [
      ("/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file "),
      (
        "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
        "total_inactive_file "
      ),
    ] {
      guard let limit = read("\(folder)/\(limit)").flatMap(number) else { continue }
      let used = read("\(folder)/\(used)").flatMap(number) ?? 0
      // Pages of files that nobody uses count as used, but are given back to whoever asks.
      let idle = (read("\(folder)/memory.stat") ?? "").split(separator: "\n")
        .first { $0.hasPrefix(cached) }.flatMap { number($0.dropFirst(cached.count)) }
      return max(0, limit - max(0, used - (idle ?? 0)))
    }
    return nil
  }

  /// Gives memory that is free back to the system, where the allocator would keep what it cannot
  /// use in one piece.
  static func release() {
    _ = trim?(0)
  }

  /// The C library's `malloc_trim`, where it has one; Swift's module of the library lacks it.
  private static let trim: (@convention(c) (Int) -> Int32)? = {
    #if canImport(Glibc)
      return dlsym(nil, "malloc_trim").map {
        unsafeBitCast($0, to: (@convention(c) (Int) -> Int32).self)
      }
    #else
      return nil
    #endif
  }()

  /// The bytes that text such as `4G`, `500M`, `2.5GiB` or `1000000` means.
  public static func bytes(_ text: String) -> Int? {
    let number = text.prefix { $0.isNumber || $0 == "." }
    guard let value = Double(number), value > 0 else { return nil }
    let factor: Double
    switch text.dropFirst(number.count).lowercased().trimmingCharacters(in: .whitespaces) {
    case "", "b": factor = 1
    case "k", "kb", "kib": factor = 0x1p10
    case "m", "mb", "mib": factor = 0x1p20
    case "g", "gb", "gib": factor = 0x1p30
    case "t", "tb", "tib": factor = 0x1p40
    default: return nil
    }
    return value * factor < 0x1p62 ? Int(value * factor) : nil
  }
}

/// Measures how much memory a network's tensors hold at once, by looking on as it runs.
final class MemoryProbe: OperatorObserver {
  private struct Entry {
    weak var tensor: Tensor?
    let address: UInt
    let bytes: Int
  }

  private var entries: [Entry] = []
  /// The most bytes that were held at once.
  private(set) var peak = 0

  func observe(_ call: OperatorCall) {
    entries.removeAll { $0.tensor == nil }
    for tensor in call.results {
      let address = tensor.withMemory { UInt(bitPattern: $0) } ?? 0
      entries.append(
        Entry(tensor: tensor, address: address, bytes: tensor.count * tensor.dtype.byteCount))
    }
    // Views and results in place share their memory with what they were made of.
    var held: [UInt: Int] = [:]
    for entry in entries { held[entry.address] = max(held[entry.address] ?? 0, entry.bytes) }
    peak = max(peak, held.values.reduce(0, +))
  }
}

/// A number of bytes for people.
func gigabytes(_ bytes: Int) -> String {
  bytes >= 1 << 30
    ? String(format: "%.1f GiB", Double(bytes) / 0x1p30)
    : String(format: "%.0f MiB", Double(bytes) / 0x1p20)
}
