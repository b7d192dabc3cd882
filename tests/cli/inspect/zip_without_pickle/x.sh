python3 -c "import zipfile; z = zipfile.ZipFile('x.pt', 'w'); z.writestr('a/version', '3'); z.writestr('a/data/0', 'abcd')" && ckpt inspect x.pt
