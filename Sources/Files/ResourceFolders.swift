import Foundation

/// Where a program, or a library that this code is linked into, has its resources.
public enum ResourceFolders {
  /// The folders, the nearest first: beside the program, beside the library, and in the folder `bin` or above it that
  /// lies next to the library's.
  public static let all: [String] = {
    var folders = [Bundle.main.bundleURL.path]
    var info = Dl_info()
    if dladdr(#dsohandle, &info) != 0, let file = info.dli_fname {
      let folder = (String(cString: file) as NSString).deletingLastPathComponent
      folders += [folder, folder + "/../bin", folder + "/.."]
    }
    return folders + [folders[0] + "/.."]
  }()

  /// The first file or folder of a name, such as `share/proj`, in one of the folders; nil if none has it.
  public static func path(_ name: String) -> String? {
    all.lazy.map { "\($0)/\(name)" }.first(where: FileManager.default.fileExists)
  }
}
