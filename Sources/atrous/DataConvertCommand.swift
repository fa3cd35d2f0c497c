import Annotations
import ArgumentParser
import Datasets
import Files
import Foundation
import Imaging
import Training

/// `atrous data convert`: annotations of one tool as those of another.
struct DataConvert: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert",
    abstract: "Write annotations of one tool, or label files, for another tool.",
    discussion: """
      Masks are those that the tool itself makes of its shapes, and what is written gives back every \
      pixel by the rule of the tool that it is for. What lies covered is left out; objects stay apart \
      where their files keep them apart.
      """)

  @OptionGroup var data: DataOptions

  @Option(
    help: ArgumentHelp(
      "The form: \(ConversionTarget.allCases.map(\.rawValue).joined(separator: ", ")).",
      valueName: "form"))
  var to: ConversionTarget

  @Option(help: "The folder where files go.")
  var output: String

  @Option(help: "What becomes of images: copy, link (hard links) or none.")
  var images = ImageTransfer.copy

  @OptionGroup var outlines: OutlineOptions

  func run() throws {
    try reportingErrors {
      let source = try data.resolved()
      var set: AnnotationSet
      if let annotations = source.annotations, data.part.isEmpty {
        set = annotations
      } else if let annotations = source.annotations {
        set = annotations
        let parts = data.part.map { $0 == "all" ? "" : $0 }
        set.images.removeAll { !parts.contains($0.part) }
        _ = try source.datasets(data.part)
      } else {
        set = try AnnotationSet(source.datasets(data.part))
      }
      for line in set.notes { note(line) }
      var options = WritingOptions()
      (options.images, options.simplify, options.minimumArea) = (
        images, outlines.simplify, outlines.minimumArea
      )
      for line in try set.write(as: to, to: output, options: options) { note(line) }
      print(
        "\(set.images.count) images and \(set.classes.count) classes written to \(output.shown) as \(to.rawValue)"
      )
    }
  }
}

extension ConversionTarget: ExpressibleByArgument {}
extension ImageTransfer: ExpressibleByArgument {}

/// What outlines leave out.
struct OutlineOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "How far outlines may be from pixels' sides to have fewer corners; 0 gives back every pixel.",
      valueName: "pixels"))
  var simplify = 0.0

  @Option(help: ArgumentHelp("The pixels that a region has at least.", valueName: "pixels"))
  var minimumArea = 0

  func validate() throws {
    guard (0...1000).contains(simplify) else {
      throw ValidationError("--simplify is \(simplify), expected 0 to 1000 pixels.")
    }
    guard minimumArea >= 0 else {
      throw ValidationError("--minimum-area is \(minimumArea), expected 0 or more pixels.")
    }
  }
}
