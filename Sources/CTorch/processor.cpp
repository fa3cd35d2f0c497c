// The processor that measured plans are for; see catrous_plans.h.
#include "ctorch.h"

#include <cstring>
#include <fstream>
#include <string>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#endif

const char *ct_processor(void) {
  static const std::string name = [] {
    std::string found;
#if defined(__x86_64__)
    unsigned words[12] = {};
    if (__get_cpuid_max(0x80000000, nullptr) >= 0x80000004) {
      for (unsigned i = 0; i < 3; i++)
        __get_cpuid(0x80000002 + i, words + 4 * i, words + 4 * i + 1, words + 4 * i + 2,
                    words + 4 * i + 3);
      const char *text = reinterpret_cast<const char *>(words);
      found.assign(text, strnlen(text, sizeof words));
    }
#elif defined(__APPLE__)
    char text[128] = {};
    size_t length = sizeof text - 1;
    if (sysctlbyname("machdep.cpu.brand_string", text, &length, nullptr, 0) == 0) found = text;
#else
    // The first lines say what a core is.
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; found.empty() && std::getline(file, line);)
      if (line.rfind("CPU part", 0) == 0 || line.rfind("model name", 0) == 0)
        found = line.substr(line.find(':') + 1);
#endif
    return found.empty() ? std::string("processor") : found;
  }();
  return name.c_str();
}
