import Foundation

/// Where a program, or a library that this code is linked into, has its resources.
public enum ResourceFolders {
  /// The folders, the nearest first: beside the program and above it, beside the library, and above that or in the folder
  /// `bin` next to it.
  public static let all: [String] = {
    let program = Bundle.main.bundleURL.path
    let library = (ownFile ?? "") as NSString
    let folders = [program, program + "/.."]
    guard library.length > 0 else { return folders }
    let folder = library.deletingLastPathComponent
    return folder == program ? folders : folders + [folder, folder + "/..", folder + "/../bin"]
  }()

  /// The first file or folder of a name, such as `share/proj`, in one of the folders; nil if none has it.
  public static func path(_ name: String) -> String? {
    all.lazy.map { "\($0)/\(name)" }.first(where: FileManager.default.fileExists)
  }

  /// The program's or library's file that this code was loaded from.
  static var ownFile: String? {
    let address = UInt(bitPattern: #dsohandle)
    #if canImport(Darwin)
      var info = Dl_info()
      guard dladdr(#dsohandle, &info) != 0 else { return nil }
      return info.dli_fname.map { String(cString: $0) }
    #else
      // Each line: the first address and the one behind the last, then five words, then the file.
      // The system gives it in pieces of a page, the first of which `String(contentsOfFile:)` takes for the whole.
      guard let maps = fopen("/proc/self/maps", "r") else { return nil }
      var text: UnsafeMutablePointer<CChar>?
      var capacity = 0
      defer {
        fclose(maps)
        free(text)
      }
      while getline(&text, &capacity, maps) > 0, let text {
        let line = String(cString: text).dropLast()
        let words = line.split(separator: " ", maxSplits: 5, omittingEmptySubsequences: true)
        let ends = (words.first ?? "").split(separator: "-").compactMap { UInt($0, radix: 16) }
        if words.count == 6, ends.count == 2, (ends[0]..<ends[1]).contains(address) {
          return String(words[5].drop { $0 == " " })
        }
      }
      return nil
    #endif
  }
}
