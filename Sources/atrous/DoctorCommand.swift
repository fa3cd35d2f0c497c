import Analysis
import ArgumentParser
import Foundation
import Imaging
import Torch

/// `atrous doctor`: what this installation has, what it lacks, and how to mend that.
struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "Print what was found, what is missing, and the mend.")

  @Flag(help: "Print how libtorch was built, too.")
  var verbose = false

  func run() throws {
    var missing: [String] = []
    func line(_ name: String, _ value: String) {
      print(name.padding(toLength: 16, withPad: " ", startingAt: 0) + value)
    }
    line("libtorch", "\(Engine.version) in \(Engine.libraryFolder)")
    if !Engine.version.hasPrefix(Engine.expectedVersion) {
      missing.append(
        "libtorch is \(Engine.version), Atrous was made for \(Engine.expectedVersion): run 'make setup', or let LIBTORCH name the torch folder of a PyTorch \(Engine.expectedVersion) and rebuild"
      )
    }
    line("threads", "\(Engine.threads) of \(ProcessInfo.processInfo.activeProcessorCount) cores")
    line("instructions", "\(Engine.cpuCapability), kernels \(Engine.kernels)")
    let precisions = InferencePrecision.allCases.filter(\.isSupported).map {
      $0 == .int8 ? "int8 by \(Engine.wholeBuilds[0])" : $0.rawValue
    }
    line("precisions", precisions.joined(separator: ", ") + " (--precision)")
    let memory = Double(ProcessInfo.processInfo.physicalMemory) / 1_073_741_824
    line("memory", String(format: "%.1f GiB", memory))
    do {
      let works = try attempt {
        Tensor(filledWith: 1, [1, 2, 4, 4]).conv2d(Tensor(filledWith: 1, [3, 2, 3, 3])).sum().item
      }
      line("convolution", works == 216 ? "works" : "gives \(works) instead of 216")
      if works != 216 { missing.append("libtorch computes wrongly here: run 'make setup' again") }
    } catch {
      line("convolution", "fails: \(error)")
      missing.append("libtorch does not work here: run 'make setup' again")
    }
    do {
      line(
        "CUDA",
        try Engine.loadCUDA() ? "available (--device cuda)" : "libraries found, no GPU answers")
    } catch {
      line(
        "CUDA",
        "not in this libtorch; for a GPU let LIBTORCH name the torch folder of a PyTorch with CUDA")
    }
    for codec in Codecs.all { line(codec.name, codec.version) }
    line("ffmpeg", FFmpeg.version ?? "not found; videos need it: \(FFmpeg.installation)")
    line("least squares", LeastSquares.library)
    if verbose { print("\n\(Engine.buildDescription)") }
    guard missing.isEmpty else {
      print("\nMissing:")
      for item in missing { print("- \(item)") }
      throw ExitCode(1)
    }
    print("\nNothing is missing.")
  }
}
