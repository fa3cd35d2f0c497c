import Foundation
import Testing

@testable import Files

@Suite("Folders of resources")
struct ResourceFolderTests {
  @Test("are those of the program and of the file that this code is in, and hold what lies there")
  func folders() throws {
    #expect(ResourceFolders.all.first == Bundle.main.bundleURL.path)
    // The tests are a library that another program loads.
    let own = try #require(ResourceFolders.all.last)
    #expect(own.hasSuffix("/../bin") || ResourceFolders.all.count == 2)
    let file = try #require(ResourceFolders.ownFile)
    #expect(FileManager.default.fileExists(atPath: file))
    let name = try #require(
      FileManager.default.contentsOfDirectory(atPath: ResourceFolders.all[0]).first)
    #expect(ResourceFolders.path(name) == "\(ResourceFolders.all[0])/\(name)")
    #expect(ResourceFolders.path("no such file") == nil)
  }
}
