import Files
import Imaging

/// Files that a listing of images passed over, of which a person should know: formats that are not
/// read, and pictures that Atrous wrote itself.
package struct PassedOver: Sendable, Equatable {
  /// Files of kinds that are not read.
  package var unread: [String] = []
  /// Pictures that Atrous wrote into the folder; see `OutputMark`.
  package var outputs: [String] = []

  /// Nothing.
  package init() {}

  /// The kinds of picture that people have and that are not read, by extension.
  private static let kinds: [String: String] = {
    let groups: [String: [String]] = [
      "HEIC": ["heic", "heif", "hif"], "AVIF": ["avif"],
      "JPEG 2000": ["jp2", "j2k", "j2c", "jpc", "jpf", "jpx"], "JPEG XL": ["jxl"],
      "JPEG XR": ["jxr", "wdp"],
      "raw": [
        "arw", "cr2", "cr3", "crw", "dng", "nef", "nrw", "orf", "pef", "raf", "raw", "rw2",
        "srw",
      ],
      "PSD": ["psd", "psb"], "PDF": ["pdf"], "SVG": ["svg", "svgz"], "EPS": ["eps"],
      "OpenEXR": ["exr"], "Radiance HDR": ["hdr"], "Targa": ["tga"], "DDS": ["dds"],
      "ICO": ["ico"],
      "NumPy": ["npy", "npz"], "MATLAB": ["mat"], "HDF5": ["h5", "hdf5"],
      "DICOM": ["dcm", "dicom"],
      "NIfTI": ["nii"], "FITS": ["fits"], "ECW": ["ecw"], "PCX": ["pcx"],
      "PBM": ["pbm"], "PNM": ["pnm", "pam", "pfm"],
    ]
    var kinds: [String: String] = [:]
    for (name, extensions) in groups { for one in extensions { kinds[one] = name } }
    return kinds
  }()

  /// Whether files of this extension are pictures of a kind that is not read.
  static func isUnread(_ suffix: String) -> Bool { kinds[suffix] != nil }

  private static func suffix(_ file: String) -> String {
    let plain = file.lowercased().hasSuffix(".gz") ? String(file.dropLast(3)) : file
    return plain.lastIndex(of: ".").map { plain[plain.index(after: $0)...].lowercased() } ?? ""
  }

  /// What was passed over in `folder`, a sentence for each reason.
  package func notes(in folder: String) -> [String] {
    func count(_ files: [String]) -> String { "\(files.count) file\(files.count == 1 ? "" : "s")" }
    func name(_ file: String) -> Substring { file.split(separator: "/").last ?? file[...] }
    var notes: [String] = []
    if let first = unread.first {
      let kinds = Set(unread.compactMap { Self.kinds[Self.suffix($0)] }).sorted()
      notes.append(
        "\(folder): \(count(unread)) of kinds that are not read (\(kinds.joined(separator: ", ")))"
          + " passed over, such as \(name(first)); expected"
          + " \(FileSelection.pictures.joined(separator: ", "))")
    }
    if let first = outputs.first {
      notes.append(
        "\(folder): \(count(outputs)) that Atrous wrote passed over, such as \(name(first))")
    }
    return notes
  }

  /// That a file of this name is there, in a kind that is not read; empty if it is not.
  func hint(_ stem: String) -> String {
    let other = unread.first { file in
      (file.split(separator: "/").last ?? "").prefix { $0 != "." } == stem
    }
    return other.map { "; \($0) is of a kind that is not read" } ?? ""
  }

  /// The files of a folder that are pictures of kinds that are read, with those that are not apart;
  /// hidden files, such as macOS's `._photo.jpg`, are no one's pictures.
  package static func pictures(
    in names: [String], extensions: [String] = FileSelection.pictures
  ) -> (read: [String], unread: [String]) {
    var (read, unread) = ([String](), [String]())
    for name in names where !name.hasPrefix(".") {
      let suffix = suffix(name)
      if extensions.contains(suffix) {
        read.append(name)
      } else if isUnread(suffix) {
        unread.append(name)
      }
    }
    return (read, unread)
  }
}

/// The image files that a path names: itself, or those in the folder, by name.
///
/// In a folder, pictures that Atrous wrote and kinds that are not read are passed over, and told to
/// `note`.
/// - Throws: `DatasetError` for a folder without images, or what is not there.
package func imageFiles(
  _ path: String, extensions: [String] = FileSelection.pictures, note: (String) -> Void = { _ in }
) throws -> [String] {
  guard FileSystem.exists(path) else {
    throw DatasetError.missingFile(path: path, expected: "an image or a folder of images")
  }
  guard FileSystem.isFolder(path) else { return [path] }
  guard let names = FileSystem.names(in: path) else {
    throw DatasetError.missingFolder(path: path, expected: "a folder that can be read")
  }
  let (read, unread) = PassedOver.pictures(in: names, extensions: extensions)
  var passedOver = PassedOver()
  passedOver.unread = unread
  passedOver.outputs = read.filter { OutputMark.isOn("\(path)/\($0)") }
  for text in passedOver.notes(in: path) { note(text) }
  let outputs = Set(passedOver.outputs)
  let files = read.filter { !outputs.contains($0) }
  guard !files.isEmpty else {
    // Whoever has images by days or by cameras would look for them in vain.
    let below = names.first { FileSystem.isFolder("\(path)/\($0)") }
    throw DatasetError.emptyFolder(
      path: path,
      expected: "images (\(extensions.joined(separator: ", ")))"
        + (below.map { "; folders in it, such as \($0.shownInLine), are not looked into" } ?? ""))
  }
  return files.map { "\(path)/\($0)" }
}
