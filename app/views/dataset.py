"""Dataset: bring images in, and see what they are."""


from app.components.page import begin

begin("Dataset", "Bring images in, and see what they are before anything is decided.")
