import Foundation

/// Data and reference outputs that are not part of the package: the folder that `ATROUS_SHARED` names, or
/// `shared` beside the package.
package let shared: String =
  ProcessInfo.processInfo.environment["ATROUS_SHARED"]
  ?? URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("shared").path

/// CamVid's folder in ``shared``, if it is there.
package let camVidFolder: String? = dataFolder("camvid", with: "train")

/// CHASE_DB1's folder in ``shared``, if it is there.
package let chaseFolder: String? = dataFolder("chasedb1", with: "Image_01L.jpg")

/// A data set's folder in ``shared``, known by something in it; says where it is missing.
private func dataFolder(_ name: String, with part: String) -> String? {
  let folder = "\(shared)/data/\(name)"
  if FileManager.default.fileExists(atPath: "\(folder)/\(part)") { return folder }
  print("\(folder) is not there: tests on it are skipped")
  return nil
}
