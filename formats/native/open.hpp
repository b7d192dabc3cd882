// Opening a native file: header, footer, index.
#pragma once

#include <memory>

#include "formats/native/chunk_store.hpp"
#include "formats/native/records.hpp"
#include "libckpt/document.hpp"
#include "libckpt/file.hpp"

namespace ckpt::native {

struct Opened {
    Footer footer;
    Document document;
    std::shared_ptr<const ChunkStore> store;
    /// Long texts and bytes whose chunks are damaged, and why; they are empty. None after `Texts::kAll`.
    std::vector<std::pair<const Node*, Error>> lost_texts;
};

/// Whether a long text that cannot be read is an error.
enum class Texts { kAll, kWhatIsWhole };

/// Reads the structure. Throws Error (kDamaged) where header, footer or index are not sound, (kNotCheckpoint) for
/// another kind of file that has our extension only.
Opened open_native(const Source& source, const Context& context, Texts texts = Texts::kAll);

}  // namespace ckpt::native
