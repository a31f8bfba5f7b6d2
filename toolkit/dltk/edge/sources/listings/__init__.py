"""Where the labelled files of a data set lie: folders of splits and classes, tables that name files, boxes."""
