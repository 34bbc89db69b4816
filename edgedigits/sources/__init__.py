"""Pictures out of files and folders of any form, in parts that can be read on their own, in any process."""
