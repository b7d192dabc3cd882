printf 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n' > x.pt && ckpt inspect x.pt
