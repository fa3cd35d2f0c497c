extension Device {
  /// The device of a name, with libtorch's libraries for it loaded.
  ///
  /// - Parameters:
  ///   - name: `cpu`, `cuda` or `cuda:N`.
  ///   - number: The GPU that `cuda` stands for.
  /// - Throws: ``UnavailableDevice``.
  public static func loaded(_ name: String, number: Int = 0) throws -> Device {
    guard name != "cpu" else { return .cpu }
    let parts = name.split(separator: ":", omittingEmptySubsequences: false)
    guard parts[0] == "cuda", parts.count == 1 || parts.count == 2 && UInt8(parts[1]) != nil else {
      throw UnavailableDevice(name: name, reason: .unknown)
    }
    do {
      guard try Engine.loadCUDA() else { throw UnavailableDevice(name: name, reason: .silent) }
    } catch let error as TorchError {
      throw UnavailableDevice(name: name, reason: .missing(error.message))
    }
    return Device(name: parts.count == 1 ? "cuda:\(number)" : name)
  }
}

/// A device that was asked for is not there.
public struct UnavailableDevice: Error, CustomStringConvertible {
  enum Reason: Sendable {
    /// No device has such a name.
    case unknown
    /// CUDA's libraries are there, a GPU is not.
    case silent
    /// What the loader says of a library that is missing.
    case missing(String)
  }

  /// What was asked for.
  public let name: String
  let reason: Reason

  /// The message for a person.
  public var description: String {
    switch reason {
    case .unknown: "the device is '\(name)', expected cpu, cuda or cuda:N"
    case .silent:
      "--device \(name): no GPU answers; expected one that CUDA can use, or --device cpu"
    case .missing(let what):
      "--device \(name): this libtorch has no CUDA: \(what); expected LIBTORCH to name the torch folder of a"
        + " PyTorch with CUDA, or --device cpu"
    }
  }
}
