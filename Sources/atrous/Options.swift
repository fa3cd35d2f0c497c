import ArgumentParser
import Evaluation
import Imaging
import Torch

/// What commands that read a configuration share.
struct ConfigurationOptions: ParsableArguments {
  @Option(
    name: .customLong("set"),
    help: ArgumentHelp("Override a value of the configuration.", valueName: "key.path=value"))
  var overrides: [String] = []
}

/// Where the network runs.
struct DeviceOptions: ParsableArguments {
  @Option(help: "Where the network runs: cpu, cuda or cuda:N.")
  var device = "cpu"

  func validate() throws {
    let parts = device.split(separator: ":", omittingEmptySubsequences: false)
    let isNumbered = parts.count == 2 && parts[0] == "cuda" && Int(parts[1]).map { $0 >= 0 } == true
    guard device == "cpu" || device == "cuda" || isNumbered else {
      throw ValidationError("--device is '\(device)', expected cpu, cuda or cuda:N.")
    }
  }

  /// The device, with libtorch's libraries for it loaded; `cuda` is the GPU of this number.
  func prepared(localRank: Int = 0) throws -> Device {
    guard device != "cpu" else { return .cpu }
    guard try Engine.loadCUDA() else { throw UnavailableDevice(name: device) }
    return Device(name: device == "cuda" ? "cuda:\(localRank)" : device)
  }
}

/// The form in which a network runs.
struct PreparationOptions: ParsableArguments {
  @Flag(
    inversion: .prefixedNo,
    help: "Fold and pack the network's weights for faster inference on the processor.")
  var prepare = true
}

/// A device that the libraries are there for but that does not answer.
struct UnavailableDevice: Error, CustomStringConvertible {
  let name: String
  var description: String {
    "--device \(name): no GPU answers; expected one that CUDA can use, or cpu"
  }
}

/// A number of bytes on the command line, such as `4G`.
struct ByteCount: ExpressibleByArgument {
  let value: Int

  init?(argument: String) {
    guard let value = MemoryBudget.bytes(argument) else { return nil }
    self.value = value
  }
}
