import ArgumentParser
import Training

/// Images and labels in two folders, instead of a configuration.
struct FolderOptions: ParsableArguments {
  @Option(help: "Instead of a configuration: the folder of images.")
  var images: String?

  @Option(help: "The folder of labels with the same names.")
  var labels: String?

  @Option(help: "What the labels' names end in besides. (default: what most of them do)")
  var labelSuffix = ""

  @Option(
    help: """
      The classes of the labels' values in ascending order, separated by commas, or entries such as \
      0=background,255=vessel; without it the values found are the classes.
      """)
  var classes: String?

  @Option(help: "A labelmap.txt or label_colors.txt, for coloured labels.")
  var colors: String?

  /// Refuses folders beside a configuration, and one without the other.
  func check(besides configuration: String?) throws {
    let isGiven = images != nil && labels != nil
    guard isGiven || images == nil && labels == nil else {
      throw ValidationError("expected --images and --labels together.")
    }
    guard isGiven != (configuration != nil) else {
      throw ValidationError(
        isGiven
          ? "expected a configuration or --images and --labels, found both."
          : "expected a configuration, or --images and --labels.")
    }
    guard isGiven || classes == nil && colors == nil && labelSuffix.isEmpty else {
      throw ValidationError(
        "--classes, --colors and --label-suffix expect --images and --labels; a configuration has keys."
      )
    }
  }

  /// What a look at the folders found; nil where there are none.
  func found() throws -> TwoFolders? {
    guard let images, let labels else { return nil }
    return try TwoFolders(
      images: images, labels: labels, labelSuffix: labelSuffix, classes: classes, colors: colors)
  }
}
