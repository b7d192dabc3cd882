# Debian bookworm's packages; each is used in the layer named behind it.
find_package(Threads REQUIRED)
find_package(fmt 9 REQUIRED)                    # everywhere
find_package(CLI11 2.1 REQUIRED)                # tools, formats/hdf5
find_package(nlohmann_json 3.11 REQUIRED)       # tools, formats/hdf5
if(POLICY CMP0167)  # msgpack asks for Boost, by whose module does not matter
  cmake_policy(SET CMP0167 OLD)
endif()
find_package(msgpack CONFIG REQUIRED)           # formats/native
find_package(PkgConfig REQUIRED)
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)         # formats/shared/h5, formats/native
pkg_check_modules(deflate REQUIRED IMPORTED_TARGET libdeflate)   # libckpt (crc32), formats/shared/zip, formats/shared/h5
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)     # libckpt
pkg_check_modules(crypto REQUIRED IMPORTED_TARGET libcrypto)     # libckpt (sha256)
pkg_check_modules(lz4 REQUIRED IMPORTED_TARGET liblz4)           # formats/shared/h5
pkg_check_modules(lzf REQUIRED IMPORTED_TARGET liblzf)           # formats/shared/h5
pkg_check_modules(blosc REQUIRED IMPORTED_TARGET blosc)          # formats/shared/h5
find_package(BZip2 REQUIRED)                    # formats/shared/h5
find_package(SQLite3 REQUIRED)                  # formats/blackit
find_package(ZLIB REQUIRED)                     # formats/jld2, formats/shared/gzip, formats/npy
list(APPEND CMAKE_MODULE_PATH ${PROJECT_SOURCE_DIR}/cmake)
find_package(AEC REQUIRED)                      # formats/shared/h5
