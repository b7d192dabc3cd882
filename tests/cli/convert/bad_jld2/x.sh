# A JLD2 file cut, zeroed or with a byte changed: each has its own message and leaves no output.
python3 - <<'PY'
import os, pathlib, subprocess
whole = pathlib.Path(os.environ['DATA'], 'jld2/layout1/checkpoint=5.jld2').read_bytes()
def changed(at, value): return whole[:at] + value + whole[at + len(value):]
cases = {'empty': b'', 'text': b'this is not a jld2 file\n', **{f'first_{n}': whole[:n] for n in (1, 38, 100, 512, 560, 1024, 10000, 28948, 29047)},
         'header_then_zeros': whole[:512] + bytes(2000), 'superblock_byte_flipped': changed(540, bytes([whole[540] ^ 1])),
         'root_header_byte_flipped': changed(512 + 0x6ecb + 60, bytes([whole[512 + 0x6ecb + 60] ^ 1])), 'global_heap_size_huge': changed(512 + 200 + 8, b'\xff\xff\xff\x7f')}
for name, data in cases.items():
    pathlib.Path(f'{name}.jld2').write_bytes(data)
    done = subprocess.run(['ckpt', 'convert', f'{name}.jld2', 'out.pt'], capture_output=True, text=True, timeout=10)
    print(f'exit {done.returncode}: {done.stderr}', end='')
    assert not os.path.exists('out.pt')
PY
