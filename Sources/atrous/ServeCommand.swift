import ArgumentParser
import Evaluation
import Files
import Foundation
import Imaging
import Inference
import Training
import Weights

#if !ATROUS_WITHOUT_SERVING
  import Serving
#endif

/// `atrous serve`: networks behind HTTP, with a page.
struct ServeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Serve networks over HTTP, with a page that shows and explains what they find.",
    usage: "atrous serve [<network> ...] [--port <port>] [<options>]",
    discussion: """
      POST /v1/predict takes an image and gives labels, an overlay, outlines or JSON; /v1/explain and \
      /v1/similarity say what a prediction rests on; /openapi.json describes all routes. The page is at /. \
      Without a network the one that comes with the package answers; of several a request names one by \
      ?model=. Ctrl-C and SIGTERM end the service once what was accepted is answered. See docs/serving.md \
      for nginx, systemd and containers.
      """)

  @Argument(help: "Runs' folders, checkpoints or ONNX files.")
  var networks: [String] = []

  @Option(help: "The port; 0 for any that is free.")
  var port = 8080

  @Option(help: "The address that is listened on; 0.0.0.0 for all of the machine's.")
  var host = "127.0.0.1"

  @Option(
    help: ArgumentHelp(
      "A file with a token that requests have to give as 'Authorization: Bearer TOKEN'.",
      discussion: "By default the environment variable ATROUS_TOKEN, or no token.",
      valueName: "file"))
  var tokenFile: String?

  @Option(help: "The most bytes of a request's body, such as 32M.")
  var maximumBody: ByteCount?

  @Option(help: "The most pixels of an image, in millions; checked before it is decoded.")
  var maximumPixels = 25.0

  @Option(help: "How many requests may wait; what comes beyond them is refused with 503.")
  var queue = 64

  @Option(help: "How many connections may be open.")
  var connections = 512

  @Option(help: "The seconds that a request's body may take to come.")
  var upload = 30.0

  @Flag(name: .customLong("log"), help: "Print a line for each answer.")
  var logs = false

  @Option(help: "The memory that an image may take, such as 4G.")
  var memoryBudget: ByteCount?

  @OptionGroup var packaged: PackagedNetworkOptions
  @OptionGroup var padding: PaddingOptions
  @OptionGroup var preparation: PreparationOptions
  @OptionGroup var settings: ConfigurationOptions
  @OptionGroup var place: DeviceOptions
  @OptionGroup var work: GraphOptions

  func validate() throws {
    try packaged.validate(checkpoints: networks.count)
    func check(_ name: String, _ value: Int, _ range: ClosedRange<Int>) throws {
      guard range.contains(value) else {
        throw ValidationError(
          "--\(name) is \(value), expected a number from \(range.lowerBound) to \(range.upperBound)."
        )
      }
    }
    try check("port", port, 0...65_535)
    try check("queue", queue, 1...100_000)
    try check("connections", connections, 1...100_000)
    guard maximumPixels > 0, maximumPixels <= 10_000 else {
      throw ValidationError(
        "--maximum-pixels is \(maximumPixels), expected millions of pixels above 0, to 10000.")
    }
    guard upload > 0, upload <= 86_400 else {
      throw ValidationError("--upload is \(upload), expected seconds above 0, to 86400.")
    }
  }

  func run() throws { try reportingErrors { try serve() } }
}

#if ATROUS_WITHOUT_SERVING
  extension ServeCommand {
    private func serve() throws { throw BuiltWithoutService() }
  }

  /// A command that `make demo` built, which has no use for the service.
  struct BuiltWithoutService: Error, CustomStringConvertible {
    var description: String {
      "serve: this command was built without the service, as 'make demo' does to be quick; 'make build' builds it with it"
    }
  }
#else
  extension ServeCommand {
    private func serve() throws {
      // Files come from requests, whose faults are told in the answers.
      ImageNotes.receive(nil)
      let token = try ServiceToken.found(file: tokenFile)
      if networks.isEmpty, let terms = packaged.chosen.terms { note(terms) }
      let served = try loaded()
      var limits = ServiceLimits()
      if let maximumBody { limits.body = maximumBody.value }
      limits.pixels = Int(maximumPixels * 1_000_000)
      (limits.queue, limits.connections, limits.upload) = (queue, connections, upload)
      let service = Service(served, limits: limits, token: token, log: logs ? Self.write : nil)
      Interruption.watch()
      let port = try service.listen(host: host, port: port)
      if let warning = ServiceToken.warning(host: host, token: token) { warn(warning) }
      let place = host.contains(":") ? "[\(host)]" : host
      Self.write("serving \(service.names) at http://\(place):\(port)/")
      while Interruption.signalNumber == nil { usleep(50_000) }
      guard service.stop() else { throw UnansweredRequests(seconds: limits.stopping) }
    }

    /// Writes a line at once, also into a pipe.
    @Sendable private static func write(_ line: String) {
      FileHandle.standardOutput.write(Data("\(line.shown)\n".utf8))
    }

    private func loaded() throws -> [ServedNetwork] {
      var options = InferenceSession.Options()
      preparation.apply(to: &options)
      if let memoryBudget { options.memoryBudget = memoryBudget.value }
      let device = try place.prepared()
      options.graphs = try work.isUsed(on: device)
      let paths = networks.isEmpty ? [try packaged.chosen.file()] : networks
      return try paths.map {
        try ServedNetwork(
          $0, overrides: settings.overrides + padding.overrides, options: options, device: device)
      }
    }
  }
#endif

/// Requests that were accepted and could not be answered before the end.
struct UnansweredRequests: Error, CustomStringConvertible {
  let seconds: Double
  var description: String {
    "not all requests were answered within \(Int(seconds)) seconds after the signal to stop"
  }
}
